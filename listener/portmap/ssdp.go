package portmap

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
	"golang.org/x/net/ipv4"
)

const (
	// gatewayType is asked for in version 1; devices of later versions answer too
	// (UPnP Device Architecture 1.1, section 1.3.2).
	gatewayType       = "urn:schemas-upnp-org:device:InternetGatewayDevice:"
	searchMX          = 2                      // seconds in which devices spread their answers
	searchTime        = 3 * time.Second        // MX and some time to travel
	searchAgain       = 700 * time.Millisecond // datagrams get lost
	maxLocations      = 8                      // per search, over all networks
	maxPerGateway     = 2
	maxSearchNetworks = 16
)

// network is one local network in which gateways are searched for.
type network struct {
	local  netip.Addr     // our own address there
	prefix netip.Prefix   // which addresses are on the link
	index  int            // of the interface; 0 = as the system routes
	target netip.AddrPort // where the search is sent
}

// location is where a device claims to be described.
type location struct {
	url     *url.URL
	gateway netip.Addr
	local   netip.Addr // our own address towards it
}

// searchRequest returns the M-SEARCH of UPnP Device Architecture 1.1, 1.3.2.
func searchRequest(target netip.AddrPort) []byte {
	return fmt.Appendf(nil, "M-SEARCH * HTTP/1.1\r\nHOST: %v\r\nMAN: \"ssdp:discover\"\r\nMX: %d\r\nST: %s1\r\n\r\n",
		target, searchMX, gatewayType)
}

// search asks in all networks at once and yields locations as they come in,
// until the search time is over. A network that can't be asked yields an error
// and does not disturb the others.
func search(ctx context.Context, networks []network) iter.Seq2[location, error] {
	return func(yield func(location, error) bool) {
		ctx, cancel := context.WithTimeout(ctx, searchTime)
		found := make(chan searchResult)
		var asking sync.WaitGroup
		for _, n := range networks {
			asking.Go(func() { n.ask(ctx, found) })
		}
		go func() { asking.Wait(); close(found) }()
		defer func() {
			cancel()
			for range found { // ends once all networks are done
			}
		}()
		var seen seenLocations
		for r := range found {
			if r.err == nil && !seen.add(r.location) {
				continue
			}
			if !yield(r.location, r.err) {
				return
			}
		}
	}
}

type searchResult struct {
	location location
	err      error
}

// seenLocations keeps one device from taking all the places.
type seenLocations struct{ list []location }

func (s *seenLocations) add(l location) bool {
	if len(s.list) >= maxLocations {
		return false
	}
	same := 0
	for _, old := range s.list {
		if old.gateway != l.gateway {
			continue
		}
		if same++; same >= maxPerGateway || old.url.String() == l.url.String() {
			return false
		}
	}
	s.list = append(s.list, l)
	return true
}

// ask sends the search into one network and hands on what is answered.
func (n network) ask(ctx context.Context, found chan<- searchResult) {
	send := func(r searchResult) {
		select {
		case found <- r:
		case <-ctx.Done():
		}
	}
	conn, err := n.open()
	if err != nil {
		send(searchResult{err: fmt.Errorf("%w: search: %w", ErrNoGateway, err)})
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	request := searchRequest(n.target)
	if _, err := conn.WriteToUDPAddrPort(request, n.target); err != nil {
		send(searchResult{err: fmt.Errorf("%w: search: %w", ErrNoGateway, err)})
		return
	}
	again := time.AfterFunc(searchAgain, func() { _, _ = conn.WriteToUDPAddrPort(request, n.target) })
	defer again.Stop()
	n.listen(ctx, conn, send)
}

func (n network) listen(ctx context.Context, conn *net.UDPConn, send func(searchResult)) {
	buf := make([]byte, 2048)
	for ctx.Err() == nil {
		size, from, err := conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if ctx.Err() == nil {
				send(searchResult{err: fmt.Errorf("%w: search: %w", ErrNoGateway, err)})
			}
			return
		}
		if loc, err := n.parseReply(buf[:size], from.Addr().Unmap()); err == nil {
			send(searchResult{location: loc})
		}
	}
}

// open returns a socket for the search. The multicast interface is set where
// there is one, for not every system chooses it by the local address.
func (n network) open() (*net.UDPConn, error) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: n.local.AsSlice()})
	if err != nil || n.index == 0 {
		return conn, err
	}
	packets := ipv4.NewPacketConn(conn)
	if err := packets.SetMulticastInterface(&net.Interface{Index: n.index}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	_ = packets.SetMulticastTTL(2) // UPnP Device Architecture 1.1, 1.3.2; the default of 1 will do too
	return conn, nil
}

// parseReply reads the answer to a search. The device must be a gateway by its
// own words, be trusted by its address, and describe itself on its own host.
func (n network) parseReply(datagram []byte, from netip.Addr) (location, error) {
	if !n.trusts(from) {
		return location{}, fmt.Errorf("%w: not from the local network", ErrBadReply)
	}
	// Some devices leave out the empty line at the end.
	text := append(bytes.Clone(datagram), "\r\n\r\n"...)
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
	if err != nil {
		return location{}, fmt.Errorf("%w: %s", ErrBadReply, excerpt(err.Error()))
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("St"), gatewayType) {
		return location{}, fmt.Errorf("%w: not a gateway", ErrBadReply)
	}
	loc, host, err := parseLocation(resp.Header.Get("Location"))
	if err != nil {
		return location{}, err
	}
	if host != from {
		return location{}, fmt.Errorf("%w: described on another host", ErrBadReply)
	}
	return location{url: loc, gateway: from, local: n.local}, nil
}

// trusts reports whether a gateway may have the address: it is on the link and
// not public, since a machine with a public address has neighbours who are
// strangers, and no translation to be helped with. Loopback is trusted only
// where loopback was asked.
func (n network) trusts(gateway netip.Addr) bool {
	if !n.prefix.Contains(gateway) || gateway.IsMulticast() || gateway.IsUnspecified() {
		return false
	}
	return !addr.Public(gateway) && gateway.IsLoopback() == n.local.IsLoopback()
}

// ssdpGroup is where UPnP devices listen for searches.
var ssdpGroup = netip.MustParseAddrPort("239.255.255.250:1900")

// localNetworks lists the networks with a private IPv4 address on an interface
// that is up and can multicast.
func localNetworks() ([]network, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var list []network
	for _, ifi := range interfaces {
		const want = net.FlagUp | net.FlagMulticast
		if ifi.Flags&want != want || ifi.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := ifi.Addrs()
		if err != nil {
			continue // gone in the meantime
		}
		list = append(list, privateNetworks(addrs, ifi.Index)...)
	}
	return list[:min(len(list), maxSearchNetworks)], nil
}

func privateNetworks(addrs []net.Addr, index int) []network {
	var list []network
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().Is4() || addr.Public(prefix.Addr()) {
			continue
		}
		list = append(list, network{local: prefix.Addr(), prefix: prefix.Masked(), index: index, target: ssdpGroup})
	}
	return list
}
