package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

func BenchmarkLookup(b *testing.B) {
	for name, memory := range map[string]int64{"memory": 0, "file": -1} {
		b.Run(name, func(b *testing.B) {
			s := mustOpen(b, tempFile(b), Config{MemoryTier: memory})
			ids := make([]resource.ID, 1000)
			for i := range ids {
				ids[i] = mustPut(b, s, pathOf(i), content(uint64(i), 1000)).Exchange.ID()
			}
			b.ResetTimer()
			var next atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if list, err := s.Lookup(ids[next.Add(1)%1000]); err != nil || len(list) != 1 {
						b.Error(err)
					}
				}
			})
		})
	}
}

func BenchmarkReadBody(b *testing.B) {
	for name, size := range map[string]int{"10KiB": 10 << 10, "100KiB": 100 << 10} {
		b.Run(name, func(b *testing.B) {
			s := mustOpen(b, tempFile(b), Config{})
			st := mustPut(b, s, "page", content(1, size))
			b.SetBytes(int64(size))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				p := make([]byte, size)
				for pb.Next() {
					body, err := s.OpenBody(st)
					if err != nil {
						b.Error(err)
						return
					}
					if _, err := body.ReadAt(p, 0); err != nil {
						b.Error(err)
					}
					body.Close()
				}
			})
		})
	}
}

// BenchmarkCommit stores 20,000 responses of 10 KiB per round, from 256 goroutines that
// each wait until theirs is durable.
func BenchmarkCommit(b *testing.B) {
	const n, clients = 20_000, 256
	bodies, responses := make([][]byte, n), make([]*resource.Stored, n)
	for i := range n {
		bodies[i] = content(uint64(i), 10<<10)
		responses[i] = response(b, pathOf(i), bodies[i])
	}
	for b.Loop() {
		b.StopTimer()
		s := mustOpen(b, tempFile(b), Config{})
		b.StartTimer()
		var next atomic.Int64
		var running sync.WaitGroup
		for range clients {
			running.Go(func() {
				for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
					if err := put(s, responses[i], bodies[i]); err != nil {
						b.Error(err)
					}
				}
			})
		}
		running.Wait()
		b.StopTimer()
		b.ReportMetric(n/float64(s.Stats().Commits), "responses/commit")
		mustClose(b, s)
		b.StartTimer()
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "responses/s")
	b.ReportMetric(0, "ns/op")
}

func BenchmarkWriteLargeBody(b *testing.B) {
	const size = 256 << 20
	block := content(1, 1<<20)
	b.SetBytes(size)
	for b.Loop() {
		b.StopTimer()
		s := mustOpen(b, tempFile(b), Config{})
		b.StartTimer()
		w, err := s.Create()
		if err != nil {
			b.Fatal(err)
		}
		for range size / len(block) {
			if _, err := w.Write(block); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Commit(context.Background(), responseOf(b, "large", w.Body())); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		w.Abort()
		mustClose(b, s)
		b.StartTimer()
	}
}
