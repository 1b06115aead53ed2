package reconcile

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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
	cl, err := c.client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm, name := kadm.NewClient(cl), c.Topology.TopicName(topic)
	details, err := partitionsOf(ctx, adm, []string{name})
	if err != nil {
		return nil, err
	}
	f := NewFold(c.Topology, topic, key)
	values := map[schemas.EventID]map[schemas.Field]string{}
	_, err = c.read(ctx, adm, map[string][]int32{name: {c.partition(key, details[name])}}, func(rec *kgo.Record) error {
		if string(rec.Key) != key {
			return nil
		}
		d, err := decode(ctx, c.Serde, c.Topology, rec)
		if err != nil || d == nil || d.event == nil || !f.Event(d.event, d.at) {
			return err
		}
		if d.event.Sealed != nil {
			return nil // erased
		}
		open := map[schemas.Field]string{}
		for _, v := range schemas.FieldsOf(d.event) {
			if marked(v.Field) {
				open[v.Field] = v.Value
			}
		}
		values[d.event.ID] = open
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("personal data of %s in %s: %w", key, name, err)
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
