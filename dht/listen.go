package dht

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
)

const (
	portTries  = 16      // to find a port that is free in both families
	readBuffer = 1 << 20 // bytes; answers come in bursts and the library reads them in one goroutine
)

// listen opens the sockets that address asks for: "HOST:PORT" with an IP address for host opens
// one, ":PORT" one per family on the same port. A machine without IPv6 is served by IPv4 alone.
func listen(address string) ([]net.PacketConn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("dht: listen address: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("dht: listen address %q: bad port", address)
	}
	if host == "" {
		return listenBoth(uint16(port))
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil, fmt.Errorf("dht: listen address %q: want an IP address: %w", address, err)
	}
	conn, err := listenUDP(ip, uint16(port))
	if err != nil {
		return nil, err
	}
	return []net.PacketConn{conn}, nil
}

// listenBoth tries several ports if it may choose, since one that is free for IPv4 can be taken
// for IPv6.
func listenBoth(port uint16) ([]net.PacketConn, error) {
	if !haveIPv6() {
		conn, err := listenUDP(netip.IPv4Unspecified(), port)
		if err != nil {
			return nil, err
		}
		return []net.PacketConn{conn}, nil
	}
	var errs error
	for range portTries {
		conns, err := listenPair(port)
		if err == nil {
			return conns, nil
		}
		errs = err
		if port != 0 {
			break
		}
	}
	return nil, errs
}

func listenPair(port uint16) ([]net.PacketConn, error) {
	four, err := listenUDP(netip.IPv4Unspecified(), port)
	if err != nil {
		return nil, err
	}
	local, _ := udpAddrPort(four.LocalAddr())
	six, err := listenUDP(netip.IPv6Unspecified(), local.Port())
	if err != nil {
		return nil, errors.Join(err, four.Close())
	}
	return []net.PacketConn{four, six}, nil
}

// haveIPv6 reports whether the machine can open IPv6 sockets at all.
func haveIPv6() bool {
	conn, err := net.ListenUDP("udp6", &net.UDPAddr{IP: net.IPv6unspecified})
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

func listenUDP(ip netip.Addr, port uint16) (net.PacketConn, error) {
	local := net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip.Unmap(), port))
	conn, err := net.ListenUDP(familyOf(ip), local)
	if err != nil {
		return nil, fmt.Errorf("dht: %w", err)
	}
	_ = conn.SetReadBuffer(readBuffer) // a wish; the system may allow less
	return conn, nil
}
