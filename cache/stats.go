package cache

// Stats are figures of a store.
type Stats struct {
	Responses   int64 // stored
	Bodies      int64 // stored on their own, equal ones once; very small ones are beside their response and don't count
	BodyBytes   int64 // of all bodies, equal ones once unless they are very small
	FileBytes   int64 // size of the file
	UsedBytes   int64 // of it that hold something
	Quota       int64 // bound of FileBytes
	QueueBytes  int64 // that wait to be written
	MemoryBytes int64 // in the memory tier
	Commits     uint64
	Evicted     uint64 // responses, since Open
	Damage      error  // why nothing is written any more, nil if all is well
}

// Stats returns the figures of this moment.
func (s *Store) Stats() Stats {
	var size int64
	if info, err := s.file.Stat(); err == nil {
		size = info.Size()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{
		Responses:   s.state.responses,
		Bodies:      s.state.bodies,
		BodyBytes:   s.state.bodyBytes,
		FileBytes:   size,
		UsedBytes:   s.used.live() * s.page,
		Quota:       s.cfg.Quota,
		QueueBytes:  s.queue.size(),
		MemoryBytes: s.tier.size(),
		Commits:     s.commits,
		Evicted:     s.evicted,
		Damage:      s.broken,
	}
}
