module ironside.local/node/needs

go 1.26.0
