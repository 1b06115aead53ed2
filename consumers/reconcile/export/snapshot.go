package export

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // the zone decides what a business day is, also in an image without a zone database
)

// Snapshot is what is exported: one business day, as known at one instant.
type Snapshot struct {
	Environment string // as the topics' prefix says it: production, staging; a destination holds one
	Cutoff      Cutoff
	Late        Late
	// Offsets say what the rows were made from: per topic partition how far it had been read. In any order.
	Offsets []Offset
	Tables  []Table // at least one, in any order
	// WrittenAt is when the export ran. Zero: the manifest does not say, and a run over the same snapshot gives the same
	// bytes.
	WrittenAt time.Time
	// Scratch is a folder with room for the whole export, which is made there before it is delivered. Default: the system's
	// folder for temporary files.
	Scratch string
}

// Cutoff says which facts belong to the export: those that happened before one instant, as known at another.
type Cutoff struct {
	Day  Date   // business day
	Zone string // IANA name, as Europe/Berlin: where the day begins and ends
	// Before is the instant, in event time, before which everything happened. Default: the end of Day in Zone.
	Before time.Time
	// KnownAt is the instant, by our clock, at which it was known: not before Before.
	KnownAt time.Time
}

// Late is where a fact belongs that became known after the export of the day it happened on. The rows given follow it
// already; the manifest tells the reader.
type Late string

// The late-arrival policies.
const (
	LateCorrects Late = "corrects_its_day"  // to the day it happened on, which gets a new version
	LateNextDay  Late = "counts_when_known" // to the day it became known on; a day's later versions mend mistakes only
)

// Offset is how far one topic partition had been read.
type Offset struct {
	Topic     string `json:"topic"` // with prefix
	Partition int32  `json:"partition"`
	Next      int64  `json:"next"` // first offset that was not read
}

// normal gives the snapshot with defaults filled in and everything in its one order, or every fault of it.
func (s Snapshot) normal() (Snapshot, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Environment == "" {
		fault("environment is empty: name it, so that nobody takes a test for the books")
	}
	if s.Late != LateCorrects && s.Late != LateNextDay {
		fault("late-arrival policy %q is not one of %s, %s", s.Late, LateCorrects, LateNextDay)
	}
	cutoff, err := s.Cutoff.normal()
	faults = append(faults, err)
	s.Cutoff = cutoff
	s.Offsets = slices.SortedFunc(slices.Values(s.Offsets), func(a, b Offset) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for i, o := range s.Offsets {
		if o.Topic == "" || o.Partition < 0 || o.Next < 0 {
			fault("offset %d of %s/%d is none: give the first offset that was not read", o.Next, o.Topic, o.Partition)
		}
		if i > 0 && o.Topic == s.Offsets[i-1].Topic && o.Partition == s.Offsets[i-1].Partition {
			fault("offset of %s/%d is there twice", o.Topic, o.Partition)
		}
	}
	s.Tables = slices.SortedFunc(slices.Values(s.Tables), func(a, b Table) int { return cmp.Compare(a.Name, b.Name) })
	if len(s.Tables) == 0 {
		fault("no tables")
	}
	for i := range s.Tables {
		faults = append(faults, s.Tables[i].check())
		if i > 0 && s.Tables[i].Name == s.Tables[i-1].Name {
			fault("table %s is there twice", s.Tables[i].Name)
		}
	}
	return s, errors.Join(faults...)
}

// normal gives the cut-off with Before filled in, both instants in UTC.
func (c Cutoff) normal() (Cutoff, error) {
	if !c.Day.valid() {
		return c, fmt.Errorf("business day %s is not a day of the calendar", c.Day)
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil || c.Zone == "" || c.Zone == "Local" {
		return c, fmt.Errorf("time zone %q is not known: give an IANA name, as Europe/Berlin", c.Zone)
	}
	if c.Before.IsZero() {
		c.Before = Date{c.Day.Year, c.Day.Month, c.Day.Day + 1}.In(zone)
	}
	c.Before, c.KnownAt = c.Before.UTC(), c.KnownAt.UTC()
	if begin := c.Day.In(zone); !c.Before.After(begin) {
		return c, fmt.Errorf("cut-off %s is before business day %s begins in %s", c.Before.Format(time.RFC3339Nano), c.Day, c.Zone)
	}
	if c.KnownAt.Before(c.Before) {
		return c, fmt.Errorf("known at %s is before the cut-off %s: the day is not over, export it later",
			c.KnownAt.Format(time.RFC3339Nano), c.Before.Format(time.RFC3339Nano))
	}
	return c, nil
}
