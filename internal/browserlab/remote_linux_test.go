package browserlab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// messages are sent and received whole. Only one goroutine receives.
type messages interface {
	send([]byte) error
	receive() ([]byte, error)
}

// remote is the client of a browser's remote control. DevTools and BiDi have the same shape of
// messages: commands with a number, answers with the same one, and events without.
type remote struct {
	conn messages
	done sync.WaitGroup

	mu      sync.Mutex
	last    int
	waiting map[int]chan answer
	events  []event
	news    chan struct{} // closed at the next event, or when nothing more comes
	err     error         // why nothing more comes
}

type event struct {
	Method  string
	Session string `json:"sessionId"`
	Params  json.RawMessage
}

type answer struct {
	result json.RawMessage
	err    error
}

func newRemote(conn messages) *remote {
	r := &remote{conn: conn, waiting: map[int]chan answer{}, news: make(chan struct{})}
	r.done.Go(r.read)
	return r
}

// read runs until the browser is gone.
func (r *remote) read() {
	for {
		text, err := r.conn.receive()
		if err != nil {
			r.end(err)
			return
		}
		var m struct {
			ID     int
			Result json.RawMessage
			Error  json.RawMessage
			Text   string `json:"message"` // BiDi's word about an error
			event
		}
		if err := json.Unmarshal(text, &m); err != nil {
			r.end(fmt.Errorf("message that is no JSON: %w", err))
			return
		}
		if m.ID == 0 {
			r.take(m.event)
			continue
		}
		a := answer{result: m.Result}
		if m.Error != nil {
			a.err = fmt.Errorf("%s %s", m.Error, m.Text)
		}
		r.mu.Lock()
		if c := r.waiting[m.ID]; c != nil {
			c <- a
			delete(r.waiting, m.ID)
		}
		r.mu.Unlock()
	}
}

func (r *remote) take(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.news)
	r.news = make(chan struct{})
}

func (r *remote) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = errors.Join(errors.New("the browser is gone"), err)
	for _, c := range r.waiting {
		c <- answer{err: r.err}
	}
	clear(r.waiting)
	close(r.news)
}

// call sends a command and waits for its answer. Session is of DevTools alone.
func (r *remote) call(ctx context.Context, session, method string, params, result any) error {
	if params == nil {
		params = struct{}{}
	}
	r.mu.Lock()
	if r.err != nil {
		r.mu.Unlock()
		return r.err
	}
	r.last++
	id, c := r.last, make(chan answer, 1)
	r.waiting[id] = c
	r.mu.Unlock()
	text, err := json.Marshal(struct {
		ID      int    `json:"id"`
		Method  string `json:"method"`
		Session string `json:"sessionId,omitempty"`
		Params  any    `json:"params"`
	}{id, method, session, params})
	if err == nil {
		err = r.conn.send(text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	select {
	case a := <-c:
		if a.err == nil && result != nil {
			a.err = json.Unmarshal(a.result, result)
		}
		if a.err != nil {
			return fmt.Errorf("%s: %w", method, a.err)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", method, ctx.Err())
	}
}

// mark is a place in the row of events, for wait.
func (r *remote) mark() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}

// wait returns the first event from a mark on that is the wanted one.
func (r *remote) wait(ctx context.Context, from int, wanted func(event) bool) (event, error) {
	for {
		r.mu.Lock()
		events, news, err := r.events[from:], r.news, r.err
		r.mu.Unlock()
		for _, e := range events {
			if wanted(e) {
				return e, nil
			}
		}
		if err != nil {
			return event{}, err
		}
		from += len(events)
		select {
		case <-news:
		case <-ctx.Done():
			return event{}, ctx.Err()
		}
	}
}

// since are the events from a mark on.
func (r *remote) since(from int) []event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event(nil), r.events[from:]...)
}
