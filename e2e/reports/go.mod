// Where the tests take the definitions of the community's report kinds from. No Go is built here.
module ironside.local/reports

go 1.26.0

require github.com/openreports/reports-api v0.2.1
