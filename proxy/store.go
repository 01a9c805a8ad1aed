package proxy

import (
	"context"
	"errors"
	"io"

	"github.com/peerproxy/peerproxy/resource"
)

// ErrWeaker is what a Commit or Freshen wraps that the store refuses because it has
// something better. All other errors are told to the user.
var ErrWeaker = errors.New("proxy: a better response is stored")

// Store keeps responses. All methods are called from many goroutines at once. The
// proxy consumes it; nil means that nothing is kept.
type Store interface {
	// Lookup returns all stored variants of a resource, newest first; none is no
	// error. The values are shared and only read.
	Lookup(id resource.ID) ([]*resource.Stored, error)
	// OpenBody gives access to the body of a stored response; the proxy closes it.
	OpenBody(st *resource.Stored) (Body, error)
	// Create begins to store a response.
	Create() (Writer, error)
	// Freshen replaces the exchange of a stored variant whose body stays the same. It
	// gives up when the context ends.
	Freshen(ctx context.Context, st *resource.Stored) error
	// Delete removes all variants of a resource; none is no error.
	Delete(ctx context.Context, id resource.ID) error
}

// Body is a stored body, open for reading from any goroutine.
type Body interface {
	io.ReaderAt
	io.Closer
	// Size is the body's length in bytes.
	Size() int64
}

// Writer takes in one body while it is read already. Write, Body and Commit are
// called by one goroutine, one after the other; ReadAt by any, for bytes that have
// been written. ReadAt serves until Abort, whatever Write and Commit came to, so
// that slow clients get the rest of their response. Abort is always called in the end.
type Writer interface {
	io.Writer
	io.ReaderAt
	// Body describes what has been written.
	Body() resource.Body
	// Commit stores the response, whose Exchange.Body is that of Body. It may refuse
	// to replace something better, which is no harm: [ErrWeaker]. It gives up when the
	// context ends.
	Commit(ctx context.Context, st *resource.Stored) error
	// Abort ends the Writer. What has not been committed is dropped.
	Abort() error
}

// Peers fetches copies from other nodes.
type Peers interface {
	// Fetch returns a copy that is proven as far as its Tier says, or an error if no
	// peer has one. The proxy closes its Body. The context governs the reading of
	// the Body, too.
	Fetch(ctx context.Context, q resource.Query) (*resource.Copy, error)
}

// Signer vouches for what this node fetched from an origin itself.
type Signer interface {
	// Sign puts this node's signature first into ex.Signatures.
	Sign(ex *resource.Exchange) error
}
