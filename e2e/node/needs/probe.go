package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A dropped packet is answered by nobody. Whatever else comes back was let through: the kernel refuses a closed port.
const (
	passed = "passed"
	cut    = "cut"
)

// probe tries all destinations at once and answers with a line for each: "passed", "cut", or what else happened, then the
// destination. The parameter patience is how long an answer may take.
func probe(out http.ResponseWriter, request *http.Request) {
	patience, err := time.ParseDuration(request.FormValue("patience"))
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	destinations := request.Form["to"]
	said := make([]string, len(destinations))
	var all sync.WaitGroup
	for at, destination := range destinations {
		all.Add(1)
		go func() {
			defer all.Done()
			said[at] = try(destination, patience) + " " + destination
		}()
	}
	all.Wait()
	fmt.Fprintln(out, strings.Join(said, "\n"))
}

func try(destination string, patience time.Duration) string {
	protocol, address, _ := strings.Cut(destination, ":")
	err := reach(protocol, address, patience)
	var network net.Error
	switch {
	case err == nil || errors.Is(err, syscall.ECONNREFUSED):
		return passed
	case errors.As(err, &network) && network.Timeout():
		return cut
	default:
		return strings.ReplaceAll(err.Error(), " ", "_")
	}
}

func reach(protocol, address string, patience time.Duration) error {
	if protocol == "sctp" {
		return associate(address, patience)
	}
	connection, err := net.DialTimeout(protocol, address, patience)
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if protocol == "udp" {
		return exchange(connection, patience)
	}
	return nil
}

// exchange sends until something comes back: a datagram may get lost, and a kernel does not refuse many at once.
func exchange(connection net.Conn, patience time.Duration) error {
	end := time.Now().Add(patience)
	answer := make([]byte, 16)
	for {
		if _, err := connection.Write([]byte("x")); err != nil {
			return err
		}
		_ = connection.SetReadDeadline(time.Now().Add(patience / 4))
		_, err := connection.Read(answer)
		var network net.Error
		if err == nil || !errors.As(err, &network) || !network.Timeout() || time.Now().After(end) {
			return err
		}
	}
}

// echo answers datagrams.
func echo(address string) {
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		fail("listen for datagrams", err)
	}
	said := make([]byte, 1500)
	for {
		count, from, err := socket.ReadFrom(said)
		if err == nil {
			_, _ = socket.WriteTo(said[:count], from)
		}
	}
}
