package main

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"net"
	"strconv"
	"time"
)

// The machine's kernel may know nothing of SCTP, and its packets can be made by hand all the same: a raw socket sends an INIT, and whoever
// gets it answers with an ABORT, as a host does where nobody listens on the port (RFC 9260, 3.3 and 8.4).
const (
	sctp       = "132"
	header     = 12
	chunkInit  = 1
	chunkAbort = 6
)

// abort answers all INITs, in a container that may have raw sockets.
func abort(network, address string) {
	socket, err := net.ListenPacket(network+":"+sctp, address)
	if err != nil {
		return
	}
	said := make([]byte, 1500)
	for {
		count, from, err := socket.ReadFrom(said)
		if err != nil || count < header+8 || said[header] != chunkInit {
			continue
		}
		source, destination := binary.BigEndian.Uint16(said), binary.BigEndian.Uint16(said[2:])
		tag := binary.BigEndian.Uint32(said[header+4:])
		_, _ = socket.WriteTo(packet(destination, source, tag, []byte{chunkAbort, 0, 0, 4}), from)
	}
}

// associate sends INITs to an address until one of them is answered.
func associate(address string, patience time.Duration) error {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return err
	}
	network, local := "ip4", "0.0.0.0"
	to, err := net.ResolveIPAddr("ip", host)
	if err != nil {
		return err
	}
	if to.IP.To4() == nil {
		network, local = "ip6", "::"
	}
	socket, err := net.ListenPacket(network+":"+sctp, local)
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	own, tag := uint16(1024+rand.IntN(64000)), rand.Uint32()|1
	chunk := make([]byte, 20)
	chunk[0], chunk[3] = chunkInit, byte(len(chunk))
	binary.BigEndian.PutUint32(chunk[4:], tag)
	binary.BigEndian.PutUint32(chunk[8:], 1<<16) // the window that is offered
	chunk[13], chunk[15] = 1, 1                  // a stream in each direction
	end := time.Now().Add(patience)
	for {
		if _, err := socket.WriteTo(packet(own, uint16(port), 0, chunk), to); err != nil {
			return err
		}
		_ = socket.SetReadDeadline(time.Now().Add(patience / 4))
		err := aborted(socket, to, uint16(port), own, tag)
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}

// aborted reads until the ABORT comes that is meant for this INIT: a raw socket gets the packets of all.
func aborted(socket net.PacketConn, to *net.IPAddr, port, own uint16, tag uint32) error {
	said := make([]byte, 1500)
	for {
		count, from, err := socket.ReadFrom(said)
		if err != nil {
			return err
		}
		sender, _ := from.(*net.IPAddr)
		if count < header+4 || said[header] != chunkAbort || sender == nil || !sender.IP.Equal(to.IP) {
			continue
		}
		ports := [2]uint16{binary.BigEndian.Uint16(said), binary.BigEndian.Uint16(said[2:])}
		if ports == [2]uint16{port, own} && binary.BigEndian.Uint32(said[4:]) == tag {
			return nil
		}
	}
}

func packet(source, destination uint16, tag uint32, chunk []byte) []byte {
	packet := append(make([]byte, header), chunk...)
	binary.BigEndian.PutUint16(packet, source)
	binary.BigEndian.PutUint16(packet[2:], destination)
	binary.BigEndian.PutUint32(packet[4:], tag)
	// The one field that is not in network order (RFC 9260, appendix A).
	binary.LittleEndian.PutUint32(packet[8:], crc32.Checksum(packet, crc32.MakeTable(crc32.Castagnoli)))
	return packet
}
