package producers

import (
	"fmt"
	"slices"
	"strings"
)

// Full names the sources whose spool is full: while Kafka is away nothing more of them can be taken. Nil when none is.
func (e *Edge) Full() error {
	var full []string
	for name, in := range e.sources {
		if in.spool != nil && in.spool.full() {
			full = append(full, name)
		}
	}
	if full == nil {
		return nil
	}
	slices.Sort(full)
	return fmt.Errorf("the spool of %s is full (%d MiB)", strings.Join(full, ", "), spoolLimit>>20)
}

// Spools tells whether some source's deliveries are taken while Kafka is away.
func (e *Edge) Spools() bool {
	for _, in := range e.sources {
		if in.spool != nil && !in.spool.full() {
			return true
		}
	}
	return false
}

// full tells whether less than a 64th of the spool is left, 8 MiB of 512: a great delivery may not find room any more.
func (s *spool) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes >= s.limit-s.limit/64
}
