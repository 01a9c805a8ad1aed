package peer

import (
	"net"
	"sync"
	"testing"
	"time"
)

// relay forwards connections to an address, each byte later by the latency.
func relay(b *testing.B, to net.Addr, latency time.Duration) net.Addr {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to.String())
			if err != nil {
				in.Close()
				continue
			}
			running.Go(func() { delayed(in, out, latency) })
			running.Go(func() { delayed(out, in, latency) })
		}
	})
	b.Cleanup(func() {
		ln.Close()
		running.Wait()
	})
	return ln.Addr()
}

// delayed copies with a latency; up to 64 MiB may be under way.
func delayed(dst, src net.Conn, latency time.Duration) {
	type chunk struct {
		data []byte
		due  time.Time
	}
	way := make(chan chunk, 512)
	spare := make(chan []byte, 512)
	go func() {
		defer close(way)
		for {
			var buf []byte
			select {
			case buf = <-spare:
			default:
				buf = make([]byte, 128<<10)
			}
			n, err := src.Read(buf)
			if n > 0 {
				way <- chunk{buf[:n], time.Now().Add(latency)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range way {
		time.Sleep(time.Until(c.due))
		if _, err := dst.Write(c.data); err != nil {
			src.Close()
			continue
		}
		select {
		case spare <- c.data[:cap(c.data)]:
		default:
		}
	}
	dst.Close()
}
