package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// upgradeOf is the protocol that a message changes to, "" = none (RFC 9110 section
// 7.8). Only WebSocket is for the proxy to forward. All other offers, as h2c, are
// between two neighbours and may be ignored.
func upgradeOf(h http.Header) string {
	if len(h["Upgrade"]) != 1 || !strings.EqualFold(strings.TrimSpace(h["Upgrade"][0]), "websocket") {
		return ""
	}
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), "upgrade") {
				return "websocket"
			}
		}
	}
	return ""
}

// upgrade forwards a request to change the protocol (WebSocket). If the origin
// agrees, the connections of both sides become a tunnel.
func (p *Proxy) upgrade(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(r.Context()))
	defer cancel(nil)
	stop := context.AfterFunc(r.Context(), func() { cancel(context.Cause(r.Context())) })
	out := p.passing(ctx, r)
	out.Header["Connection"] = []string{"Upgrade"}
	out.Header["Upgrade"] = []string{upgradeOf(r.Header)}
	response, err := p.transport.RoundTrip(out)
	err = blame(out, err)
	// From here on the end of the client's request context means no more than that
	// its connection was taken over.
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if response != nil {
		defer response.Body.Close()
	}
	if err == nil && response.StatusCode != http.StatusSwitchingProtocols {
		err = impossibleStatus(response.StatusCode)
	}
	if err != nil {
		p.answer(w, r, report{failure: explain(err), cache: cacheStatus{fwd: fwdBypass}})
		return
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		p.passBack(ctx, w, r, response, cacheStatus{fwd: fwdBypass, fwdStatus: response.StatusCode}, cancel)
		return
	}
	p.switchProtocols(w, r, response)
}

func (p *Proxy) switchProtocols(w http.ResponseWriter, r *http.Request, response *http.Response) {
	upstream, ok := response.Body.(io.ReadWriteCloser)
	protocol := upgradeOf(response.Header)
	if u := uploadOf(r); u != nil { // RFC 9110 section 7.8: the request is to be complete
		u.stop()
		ok = ok && u.isWhole()
	}
	if !ok || protocol == "" {
		// The origin changed to something that nobody asked for, or too soon.
		f := failure{502, "http_upgrade_failed", failedProtocol.title, failedProtocol.text}
		p.answer(w, r, report{failure: f, cache: cacheStatus{fwd: fwdBypass, fwdStatus: response.StatusCode}})
		return
	}
	client, err := hijack(w)
	if err != nil {
		p.refuse(w, r, err)
		return
	}
	defer client.Close()
	endToEnd(response.Header)
	response.Header.Set("Connection", "Upgrade")
	response.Header.Set("Upgrade", protocol)
	p.label(response.Header, response.Header, "1.1", cacheStatus{fwd: fwdBypass, fwdStatus: response.StatusCode}, proxyStatus{received: response.StatusCode})
	if err := writeHead(client, "101 Switching Protocols", response.Header); err != nil {
		return
	}
	p.tunnels.run(client, upstream, p.cfg.Idle)
}

// writeHead writes the status line and the fields of a response by hand, as is
// needed on a connection that has been taken over.
func writeHead(w io.Writer, status string, h http.Header) error {
	b := bufio.NewWriter(w)
	_, _ = fmt.Fprintf(b, "HTTP/1.1 %s\r\n", status) // Flush has the error of all writes
	_ = h.Write(b)
	_, _ = b.WriteString("\r\n")
	return b.Flush()
}
