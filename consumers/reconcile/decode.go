package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// decoded is one record that concerns a key.
type decoded struct {
	subject
	at         Position
	event      *schemas.Event
	outcome    *schemas.Outcome
	decision   *schemas.Command
	env        schemas.Envelope // with unreadable
	unreadable string           // why the bytes cannot be read; empty when they can
	ofOutcome  bool
	taken      time.Time
}

// fold adds an event to its fold; false when it is a copy.
func (d *decoded) fold(f *Fold) (first bool) {
	if d.unreadable != "" {
		return f.Undecodable(d.env, d.unreadable, d.taken, d.at)
	}
	first = f.Event(d.event, d.at)
	f.traced(d.event.ID, d.at, schemas.TraceID(d.env.TraceParent))
	return first
}

// decode reads a record by its topic; nil for one of another topic and for control records and tombstones.
func decode(ctx context.Context, serde *schemas.Serde, topo *topology.Topology, rec *kgo.Record) (*decoded, error) {
	d := &decoded{at: Position{rec.Partition, rec.Offset}, taken: rec.Timestamp.UTC()}
	topic, ours := strings.CutPrefix(rec.Topic, topo.Prefix)
	if !ours || rec.Attrs.IsControl() || rec.Value == nil {
		return nil, nil
	}
	d.subject = subject{topic, cmp.Or(sqlText(string(rec.Key)), poisonKey(rec.Topic, d.at))}
	var err error
	switch topic {
	case schemas.TopicOrders, schemas.TopicCustomers, schemas.TopicInventory:
		d.event, err = serde.DecodeEvent(ctx, rec.Value)
		if d.env, _ = schemas.EnvelopeOf(rec.Headers); d.env.ID == "" {
			d.env.ID = schemas.EventID(poisonKey(rec.Topic, d.at))
		}
	case topology.TopicReconciliation:
		d.ofOutcome = true
		d.topic = schemas.TopicOrders
		if d.outcome, err = serde.DecodeOutcome(ctx, rec.Value); err == nil {
			d.topic = cmp.Or(d.outcome.Topic, d.outcome.EventType.Topic())
		}
	case topology.TopicCommands:
		var c *schemas.Command
		if c, err = serde.DecodeCommand(ctx, rec.Value); err == nil && (c.Kind == schemas.Acknowledge || c.Kind == schemas.Waive) {
			d.decision, d.subject = c, subject{c.Topic, sqlText(c.Key)}
			break
		}
		if err == nil || errors.Is(err, schemas.ErrPoison) || errors.Is(err, schemas.ErrUnknownSchema) {
			return nil, nil // for the workers, who tell what they cannot read
		}
	default:
		return nil, nil
	}
	if errors.Is(err, schemas.ErrPoison) || errors.Is(err, schemas.ErrUnknownSchema) {
		d.unreadable, err = err.Error(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s/%d offset %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	return d, nil
}
