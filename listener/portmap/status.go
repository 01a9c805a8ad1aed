package portmap

import (
	"context"
	"errors"
	"fmt"
)

// State is how far [Keep] has come.
type State int

// The states of a kept mapping.
const (
	// Off: nothing is being done. The zero value, and the last that is reported.
	Off State = iota
	// Asking: the first attempt is under way.
	Asking
	// Mapped: a gateway has granted the mapping and its lease is running.
	Mapped
	// Unmapped: there is no mapping; attempts go on.
	Unmapped
)

// String returns the state as one lower-case word.
func (s State) String() string {
	switch s {
	case Off:
		return "off"
	case Asking:
		return "asking"
	case Mapped:
		return "mapped"
	case Unmapped:
		return "unmapped"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Status tells how a kept mapping is doing.
type Status struct {
	State State
	// Mapping is what holds while State is Mapped; otherwise the zero value.
	Mapping Mapping
	// Err is why the last attempt failed, nil if it did not. It may be set while
	// State is Mapped: then renewing failed and the lease has not run out yet. Its
	// text may name addresses of the local network.
	Err error
}

// Reason says in a few words why the last attempt failed, "" if it did not. It
// holds no addresses and no text from the network, and so is fit for logs.
func (s Status) Reason() string {
	var fault *FaultError
	switch {
	case s.Err == nil:
		return ""
	case errors.As(s.Err, &fault):
		return fault.Error()
	case errors.Is(s.Err, context.DeadlineExceeded), errors.Is(s.Err, context.Canceled):
		return "no answer in time"
	}
	for _, known := range []error{ErrRefused, ErrNoExternalAddress, ErrBadReply, ErrNoGateway, ErrBadRequest} {
		if errors.Is(s.Err, known) {
			return known.Error()
		}
	}
	return "failed"
}

// String describes the status to a person, with the external address.
func (s Status) String() string {
	switch s.State {
	case Mapped:
		return s.mapped()
	case Unmapped:
		return "not mapped: " + s.Reason()
	case Asking:
		return "asking for a gateway"
	}
	return "port mapping is off"
}

func (s Status) mapped() string {
	text := fmt.Sprintf("mapped by %s: %v, ", s.Mapping.Method, s.Mapping.External)
	if s.Mapping.Lease == 0 {
		text += "without end"
	} else {
		text += "for " + s.Mapping.Lease.String()
	}
	if !s.Mapping.Public() {
		text += "; the address is not public, so another NAT lies ahead"
	}
	if s.Err != nil {
		text += "; renewing failed: " + s.Reason()
	}
	return text
}
