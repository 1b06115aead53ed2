package reconcile

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Disclosed is one system's word on a personal field, in the open.
type Disclosed struct {
	System  schemas.System  `json:"system"`
	Field   schemas.Field   `json:"field"`
	Value   string          `json:"value"`
	Time    time.Time       `json:"time"` // source clock
	EventID schemas.EventID `json:"event_id"`
}

// Disclose reads what systems said last of the personal fields of a key, from its event topic (without prefix), for those who
// may read the keys of personal data: c.Serde opens with them. What is erased is not there.
func Disclose(ctx context.Context, c ReadConfig, topic, key string) ([]Disclosed, error) {
	f := NewFold(c.Topology, topic, key)
	values := map[schemas.EventID]map[schemas.Field]string{}
	err := c.eachEvent(ctx, topic, key, func(d *decoded) {
		if !f.Event(d.event, d.at) || d.event.Sealed != nil { // a copy, or erased
			return
		}
		open := map[schemas.Field]string{}
		for _, v := range schemas.FieldsOf(d.event) {
			if marked(v.Field) {
				open[v.Field] = v.Value
			}
		}
		values[d.event.ID] = open
	})
	if err != nil {
		return nil, fmt.Errorf("personal data of %s in %s: %w", key, c.Topology.TopicName(topic), err)
	}
	out := []Disclosed{}
	for _, l := range f.lines() {
		for _, s := range l.newest {
			if value, ok := values[s.ev.ID][l.field]; ok {
				out = append(out, Disclosed{s.ev.System, l.field, value, s.ev.Time, s.ev.ID})
			}
		}
	}
	return out, nil
}

// WriteDisclosed writes it for a person, a line for each.
func WriteDisclosed(w io.Writer, list []Disclosed) error {
	var lines []string
	for _, d := range list {
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s\t%s", d.Field, flat(d.Value), d.System, d.Time.Format(clockForm)))
	}
	return columns(w, "personal\tvalue\twho says so\tsource clock (UTC)\t", lines)
}
