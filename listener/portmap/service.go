package portmap

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/huin/goupnp"
	igd "github.com/huin/goupnp/dcps/internetgateway2"
)

// connection is the part that the three WAN connection services have in common;
// goupnp's generated clients implement it.
type connection interface {
	mappingWriter
	mappingReader
	GetServiceClient() *goupnp.ServiceClient
}

type mappingWriter interface {
	AddPortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string, internalPort uint16,
		internalClient string, enabled bool, description string, lease uint32) error
	DeletePortMappingCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) error
}

type mappingReader interface {
	GetExternalIPAddressCtx(ctx context.Context) (string, error)
	GetSpecificPortMappingEntryCtx(ctx context.Context, remoteHost string, externalPort uint16, protocol string) (
		internalPort uint16, internalClient string, enabled bool, description string, lease uint32, err error)
}

// service is one WAN connection of a gateway. It does not change.
type service struct {
	connection
	gateway  netip.Addr
	local    netip.Addr // our address towards the gateway
	location string
}

// maxServices bounds how many services of one device are tried. Real devices
// have one or two: a cable and a PPP connection, of which one is up.
const maxServices = 4

// describe reads what is at the location and returns the services there.
func (l location) describe(ctx context.Context) ([]*service, error) {
	client := newHTTPClient(l.gateway, l.local)
	root, err := fetchDescription(ctx, client, l.url)
	if err != nil {
		return nil, err
	}
	list := l.services(root, client)
	if len(list) == 0 {
		return nil, fmt.Errorf("description: %w: no WAN connection service", ErrBadReply)
	}
	return list, nil
}

// services lists the WAN connections of a device, newest kind first.
func (l location) services(root *goupnp.RootDevice, client *http.Client) []*service {
	var all []connection
	if list, err := igd.NewWANIPConnection2ClientsFromRootDevice(root, l.url); err == nil {
		all = appendConnections(all, list)
	}
	if list, err := igd.NewWANIPConnection1ClientsFromRootDevice(root, l.url); err == nil {
		all = appendConnections(all, list)
	}
	if list, err := igd.NewWANPPPConnection1ClientsFromRootDevice(root, l.url); err == nil {
		all = appendConnections(all, list)
	}
	var list []*service
	for _, c := range all {
		soap := c.GetServiceClient().SOAPClient
		if !l.controls(&soap.EndpointURL) || len(list) == maxServices {
			continue
		}
		soap.HTTPClient = *client
		list = append(list, &service{connection: c, gateway: l.gateway, local: l.local, location: l.url.String()})
	}
	return list
}

func appendConnections[C connection](all []connection, list []C) []connection {
	for _, c := range list {
		all = append(all, c)
	}
	return all
}

// controls reports whether a control URL is on the gateway itself.
func (l location) controls(control *url.URL) bool {
	_, host, err := parseLocation(control.String())
	return err == nil && host == l.gateway
}

// external asks for the address towards the internet. Gateways without one
// answer with an empty text or 0.0.0.0, and with success.
func (s *service) external(ctx context.Context) (netip.Addr, error) {
	text, err := s.GetExternalIPAddressCtx(ctx)
	if err != nil {
		return netip.Addr{}, soapError(ctx, "GetExternalIPAddress", err)
	}
	if text = strings.TrimSpace(text); text == "" {
		return netip.Addr{}, ErrNoExternalAddress
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%w: external address %q", ErrBadReply, excerpt(text))
	}
	ip = ip.Unmap()
	if ip.IsUnspecified() {
		return netip.Addr{}, ErrNoExternalAddress
	}
	if ip.IsLoopback() || ip.IsMulticast() || !ip.Is4() {
		return netip.Addr{}, fmt.Errorf("%w: external address %v", ErrBadReply, ip)
	}
	return ip, nil
}

// mapPort makes the mapping and looks whether it is there.
func (s *service) mapPort(ctx context.Context, req Request, external netip.Addr) (Mapping, error) {
	m := Mapping{
		Protocol: req.Protocol,
		Internal: netip.AddrPortFrom(s.local, req.InternalPort),
		Method:   MethodUPnP,
		Gateway:  s.gateway,
		Location: s.location,
	}
	terms, err := s.negotiate(ctx, req)
	if err != nil {
		return Mapping{}, err
	}
	m.External = netip.AddrPortFrom(external, terms.port)
	m.Lease, err = s.confirm(ctx, m, terms.lease)
	if err != nil {
		return Mapping{}, err
	}
	return m, nil
}

// negotiate asks until the gateway agrees or there is nothing left to give in.
func (s *service) negotiate(ctx context.Context, req Request) (terms, error) {
	t := terms{port: req.ExternalPort, lease: req.Lease}
	for {
		err := s.add(ctx, req, t)
		if err == nil {
			return t, nil
		}
		if !t.giveIn(req, faultCode(err)) {
			return terms{}, err
		}
	}
}

func (s *service) add(ctx context.Context, req Request, t terms) error {
	const anyHost = "" // wildcard; few gateways know anything else
	err := soapError(ctx, "AddPortMapping", s.AddPortMappingCtx(ctx, anyHost, t.port, req.Protocol.String(),
		req.InternalPort, s.local.String(), true, req.Description, uint32(t.lease/time.Second)))
	if err != nil && ctx.Err() != nil {
		s.takeBack(ctx, req, t.port)
	}
	return err
}

// takeBack removes a mapping of which we don't know whether it was made, because
// the caller did not wait for the answer and so never learns of it.
func (s *service) takeBack(ctx context.Context, req Request, port uint16) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_, _ = s.remove(ctx, req.Protocol, netip.AddrPortFrom(s.local, req.InternalPort), port)
}

// confirm reads the mapping back and returns its lease. A gateway that can't
// read is believed; one that shows no mapping, or another's, is not.
func (s *service) confirm(ctx context.Context, m Mapping, lease time.Duration) (time.Duration, error) {
	owner, granted, err := s.entry(ctx, m.Protocol, m.External.Port())
	switch {
	case faultCode(err) == faultNoSuchEntry:
		return 0, fmt.Errorf("%w: said yes but has no such mapping", ErrBadReply)
	case err != nil:
		return lease, nil
	case owner != m.Internal:
		return 0, fmt.Errorf("%w: said yes but maps the port to another machine", ErrBadReply)
	case granted > 0 && granted < lease:
		return granted, nil
	}
	return lease, nil
}

// entry reads to whom the gateway sends what comes in at the port.
func (s *service) entry(ctx context.Context, p Protocol, port uint16) (owner netip.AddrPort, lease time.Duration, err error) {
	internalPort, client, _, _, seconds, err := s.GetSpecificPortMappingEntryCtx(ctx, "", port, p.String())
	if err != nil {
		return netip.AddrPort{}, 0, soapError(ctx, "GetSpecificPortMappingEntry", err)
	}
	ip, err := netip.ParseAddr(strings.TrimSpace(client)) // some put a host name here
	if err != nil {
		return netip.AddrPort{}, 0, fmt.Errorf("%w: internal client %q", ErrBadReply, excerpt(client))
	}
	return netip.AddrPortFrom(ip.Unmap(), internalPort), time.Duration(seconds) * time.Second, nil
}

// remove removes the mapping unless the gateway says that it is another's, and
// reports whether there was one for sure: many gateways delete what they have
// not with success.
func (s *service) remove(ctx context.Context, p Protocol, internal netip.AddrPort, port uint16) (bool, error) {
	owner, _, err := s.entry(ctx, p, port)
	if faultCode(err) == faultNoSuchEntry || err == nil && owner != internal {
		return false, nil
	}
	ours := err == nil
	err = soapError(ctx, "DeletePortMapping", s.DeletePortMappingCtx(ctx, "", port, p.String()))
	if faultCode(err) == faultNoSuchEntry {
		return false, nil
	}
	return ours && err == nil, err
}

// localTo returns the address that this machine has towards the gateway.
// Connecting a datagram socket sends nothing.
func localTo(gateway netip.Addr) (netip.Addr, error) {
	const discard = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(gateway, discard)))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("route to gateway: %w", err)
	}
	defer func() { _ = conn.Close() }()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	return local.Addr().Unmap(), err
}
