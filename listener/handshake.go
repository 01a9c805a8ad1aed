package listener

import (
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
)

// serveHTTP is called by the listener's own HTTP server for each request.
func (l *Listener) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.enter() {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	defer l.handlers.Done()
	if !websocket.IsWebSocketUpgrade(r) {
		l.guard.heard(connOf(r))
		l.fallback(w, r)
		return
	}
	if status := l.judge(r); status != 0 {
		l.cfg.Logger.Debug("listener: handshake refused", "status", status, "remote", r.RemoteAddr)
		refuse(w, status)
		return
	}
	l.upgrade(w, r)
}

// judge returns the status to refuse the handshake with, or 0. The upgrader
// judges the rest: version and key.
func (l *Listener) judge(r *http.Request) int {
	switch {
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed
	case l.cfg.Path != "" && r.URL.Path != l.cfg.Path:
		return http.StatusNotFound
	case !r.ProtoAtLeast(1, 1) || r.ContentLength != 0: // RFC 6455 section 4.2.1
		return http.StatusBadRequest
	case !l.cfg.CheckOrigin(r):
		return http.StatusForbidden
	case !l.speaks(r):
		return http.StatusBadRequest
	}
	return 0
}

// speaks reports whether client and listener have a subprotocol in common. It
// joins the lines of the field (RFC 6455 section 11.3.4 permits several), of
// which the upgrader would see the first alone.
func (l *Listener) speaks(r *http.Request) bool {
	if len(l.cfg.Subprotocols) == 0 {
		return true
	}
	const field = "Sec-Websocket-Protocol"
	r.Header.Set(field, strings.Join(r.Header.Values(field), ","))
	for _, offered := range websocket.Subprotocols(r) {
		for _, ours := range l.cfg.Subprotocols {
			if offered == ours {
				return true
			}
		}
	}
	return false
}

// upgrade finishes the handshake if there is a place for the connection to wait
// in. The place is taken first: after the handshake it would be too late to say
// no.
func (l *Listener) upgrade(w http.ResponseWriter, r *http.Request) {
	select {
	case l.places <- struct{}{}:
	default:
		l.cfg.Logger.Debug("listener: backlog full", "remote", r.RemoteAddr)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	ws, err := l.upgrader.Upgrade(w, r, nil)
	if err != nil {
		<-l.places
		l.cfg.Logger.Debug("listener: handshake failed", "error", err, "remote", r.RemoteAddr)
		return
	}
	l.waiting <- ws // has as many places
}

// fallback answers a request that is no handshake.
func (l *Listener) fallback(w http.ResponseWriter, r *http.Request) {
	switch {
	case l.cfg.Fallback != nil:
		l.cfg.Fallback.ServeHTTP(w, r)
	case l.cfg.Path != "" && r.URL.Path != l.cfg.Path:
		refuse(w, http.StatusNotFound)
	default: // RFC 9110 section 15.5.22
		w.Header().Set("Upgrade", "websocket")
		refuse(w, http.StatusUpgradeRequired)
	}
}

// refuse answers with a bare status and ends the connection.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

// isToken reports whether s can be a subprotocol's name (RFC 6455 section 4.1,
// item 10, by RFC 9110 section 5.6.2).
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c > '~' || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
