package producers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
)

// reply is the body of a 200.
type reply struct {
	EventIDs    []schemas.EventID `json:"event_ids,omitempty"`
	Quarantined schemas.EventID   `json:"quarantined,omitempty"` // of the first reject
	Reason      string            `json:"reason,omitempty"`
	keys        []string          // of the events' records, each once
}

func replyOf(d *delivery, r *reading) reply {
	var rep reply
	for _, ev := range r.events {
		rep.EventIDs = append(rep.EventIDs, ev.ID)
		if !slices.Contains(rep.keys, ev.Subject) {
			rep.keys = append(rep.keys, ev.Subject)
		}
	}
	if len(r.rejects) > 0 {
		q := d.quarantined(r.origin, r.rejects[0])
		rep.Quarantined, rep.Reason = q.ID, q.Reason
	}
	return rep
}

// json is the reply as a line.
func (rep *reply) json() []byte {
	if len(rep.EventIDs) == 1 && rep.Quarantined == "" && rep.Reason == "" { // as all but a few; ids need no escapes
		return slices.Concat([]byte(`{"event_ids":["`), []byte(rep.EventIDs[0]), []byte("\"]}\n"))
	}
	line, _ := json.Marshal(rep) // of texts: cannot fail
	return append(line, '\n')
}

// answer is 200, as every platform takes that for yes and some take nothing else.
func (e *Edge) answer(w http.ResponseWriter, in *inlet, rep reply) {
	if in.platform.plain != "" {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, in.platform.plain)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(rep.json()); err != nil { // the sender is gone: what it sent is safe
		e.cfg.Logger.Debug("answer not read", "source", in.source.Name, "error", err)
	}
}

// encodeAll makes the records of the reading's events; an event that does not fit its schema becomes a reject.
func (p *Publisher) encodeAll(ctx context.Context, trace schemas.Trace, r *reading) ([]*kgo.Record, error) {
	var records []*kgo.Record
	var kept []*schemas.Event
	for _, ev := range r.events {
		rec, err := p.eventRecord(ctx, ev, trace)
		switch {
		case errors.Is(err, errUnfit):
			r.refuse(string(ev.ID), &fault{"", err.Error()})
			continue
		case err != nil:
			return nil, err
		}
		kept = append(kept, ev)
		records = append(records, rec)
	}
	r.events = kept
	return records, nil
}
