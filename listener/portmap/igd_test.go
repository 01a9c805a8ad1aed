package portmap

import (
	"encoding/xml"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

// fakeIGD is a gateway on loopback. It does what it is told by its fields, which
// are set before it is first asked, or under mu.
type fakeIGD struct {
	server *httptest.Server

	mu          sync.Mutex
	description []byte
	external    string
	permanent   bool                // leases other than 0 get 725
	samePort    bool                // different ports get 724
	forgetful   bool                // says yes to mappings and makes none
	faults      map[string][]int    // by action: what to answer next; the last one for ever
	entries     map[string]igdEntry // by "TCP 4711"
	calls       []string            // actions, and "GET"
	intercept   func(w http.ResponseWriter, r *http.Request, action string) bool
}

type igdEntry struct {
	client, port, lease, description string
}

func newFakeIGD(t *testing.T, file string) *fakeIGD {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeIGD{description: text, external: "11.0.0.100", entries: map[string]igdEntry{}, faults: map[string][]int{}}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeIGD) location() string { return f.server.URL + "/rootDesc.xml" }

func (f *fakeIGD) mapper(t *testing.T) *UPnP {
	t.Helper()
	return mustUPnP(t, Config{Location: f.location()})
}

func mustUPnP(t *testing.T, cfg Config) *UPnP {
	t.Helper()
	u, err := NewUPnP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (f *fakeIGD) entry(key string) (igdEntry, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e, ok := f.entries[key]
	return e, ok
}

func (f *fakeIGD) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, c := range f.calls {
		if c == call {
			n++
		}
	}
	return n
}

func (f *fakeIGD) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	urn, action, _ := strings.Cut(strings.Trim(r.Header.Get("SOAPAction"), `"`), "#")
	if action == "" {
		action = "GET"
	}
	f.mu.Lock()
	f.calls = append(f.calls, action)
	intercept := f.intercept
	f.mu.Unlock()
	if intercept != nil && intercept(w, r, action) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if action == "GET" {
		w.Write(f.description)
		return
	}
	if r.URL.Path == "/ctl/down" { // a line that is not connected
		if action != "GetExternalIPAddress" {
			fault(w, 714)
			return
		}
		f.reply(w, urn, action, map[string]string{"NewExternalIPAddress": ""})
		return
	}
	if !strings.HasSuffix(urn, strings.TrimPrefix(r.URL.Path, "/ctl/")) {
		fault(w, 401)
		return
	}
	if codes := f.faults[action]; len(codes) > 0 {
		if len(codes) > 1 {
			f.faults[action] = codes[1:]
		}
		if codes[0] != 0 {
			fault(w, codes[0])
			return
		}
	}
	f.act(w, urn, action, arguments(body))
}

func (f *fakeIGD) act(w http.ResponseWriter, urn, action string, arg map[string]string) {
	key := arg["NewProtocol"] + " " + arg["NewExternalPort"]
	entry, present := f.entries[key]
	switch action {
	case "GetExternalIPAddress":
		f.reply(w, urn, action, map[string]string{"NewExternalIPAddress": f.external})
	case "AddPortMapping":
		switch {
		case f.permanent && arg["NewLeaseDuration"] != "0":
			fault(w, 725)
			return
		case f.samePort && arg["NewExternalPort"] != arg["NewInternalPort"]:
			fault(w, 724)
			return
		case present && entry.client != arg["NewInternalClient"]:
			fault(w, 718)
			return
		case !f.forgetful:
			f.entries[key] = igdEntry{arg["NewInternalClient"], arg["NewInternalPort"], arg["NewLeaseDuration"], arg["NewPortMappingDescription"]}
		}
		f.reply(w, urn, action, nil)
	case "GetSpecificPortMappingEntry":
		if !present {
			fault(w, 714)
			return
		}
		f.reply(w, urn, action, map[string]string{
			"NewInternalPort": entry.port, "NewInternalClient": entry.client, "NewEnabled": "1",
			"NewPortMappingDescription": entry.description, "NewLeaseDuration": entry.lease,
		})
	case "DeletePortMapping":
		delete(f.entries, key) // success whether there was one or not, as miniupnpd does
		f.reply(w, urn, action, nil)
	default:
		fault(w, 401)
	}
}

func (f *fakeIGD) reply(w http.ResponseWriter, urn, action string, out map[string]string) {
	fmt.Fprintf(w, `<?xml version="1.0"?>`+"\n"+`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" `+
		`s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body><u:%sResponse xmlns:u="%s">`, action, urn)
	for name, value := range out {
		fmt.Fprintf(w, "<%s>%s</%s>", name, value, name)
	}
	fmt.Fprintf(w, "</u:%sResponse></s:Body></s:Envelope>", action)
}

func fault(w http.ResponseWriter, code int) {
	w.WriteHeader(http.StatusInternalServerError)
	fmt.Fprintf(w, `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/">`+
		`<s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail>`+
		`<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>%d</errorCode><errorDescription>`+
		`Some words</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`, code)
}

// arguments returns the text of each element by its name.
func arguments(body []byte) map[string]string {
	args := map[string]string{}
	decoder := xml.NewDecoder(strings.NewReader(string(body)))
	name := ""
	for {
		token, err := decoder.Token()
		if err != nil {
			return args
		}
		switch token := token.(type) {
		case xml.StartElement:
			name = token.Name.Local
		case xml.CharData:
			args[name] += string(token)
		}
	}
}

// ssdpResponder answers each search with the given datagrams.
func ssdpResponder(t *testing.T, replies ...string) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, 0)))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			if !strings.HasPrefix(string(buf[:n]), "M-SEARCH * HTTP/1.1\r\n") {
				continue
			}
			for _, reply := range replies {
				conn.WriteToUDPAddrPort([]byte(reply), from)
			}
		}
	}()
	return netip.MustParseAddrPort(conn.LocalAddr().String())
}

func ssdpReply(location string) string {
	return "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
		"USN: uuid:0a1b2c3d-0000-4000-8000-000000000001::urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n" +
		"EXT:\r\nSERVER: Linux/5.10 UPnP/1.1 Example/1.0\r\nLOCATION: " + location + "\r\n\r\n"
}

// searching returns a mapper that searches the given networks on loopback only.
func searching(t *testing.T, networks ...network) *UPnP {
	t.Helper()
	u := mustUPnP(t, Config{})
	u.networks = func() ([]network, error) { return slices.Clone(networks), nil }
	return u
}

func loopbackNetwork(target netip.AddrPort) network {
	return network{local: loopback, prefix: netip.MustParsePrefix("127.0.0.0/8"), target: target}
}
