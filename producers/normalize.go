package producers

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// factHorizon is how old a fact may be that is told only through an order's state (see doc.go). It is shorter than the
// default dedup window of 35 days, so that a ledger still knows every fact that is told again.
const factHorizon = 30 * 24 * time.Hour

// delivery is one authentic input of a source.
type delivery struct {
	source   *topology.Source
	header   http.Header
	body     []byte
	received time.Time       // our clock
	signed   time.Time       // by the source's clock, authentic; zero where no time is signed
	trace    schemas.Trace   // that its records carry
	shapes   *contract.Watch // nil: its shape is not looked at
}

// rawRef names the raw body: "sha256:<hex>".
func (d *delivery) rawRef() string {
	var ref [len("sha256:") + 2*sha256.Size]byte
	sum := sha256.Sum256(d.body)
	return string(hex.AppendEncode(append(ref[:0], "sha256:"...), sum[:]))
}

func (d *delivery) bodyHash() string { return strings.TrimPrefix(d.rawRef(), "sha256:") }

// origin is who delivered and under what identity.
type origin struct {
	source string // CloudEvents source
	id     string // identity of the delivery
}

// reject is a part of a delivery that could not be normalized.
type reject struct {
	part  string // tells apart the rejects of one delivery; empty for the whole
	fault *fault
}

// reading is what a delivery came to.
type reading struct {
	origin
	events  []*schemas.Event
	rejects []reject
}

// add takes over an event or, when its taker met a fault, a reject of that part.
func (r *reading) add(ev *schemas.Event, part string, t *taker) {
	if t.err != nil {
		r.rejects = append(r.rejects, reject{part, t.err})
		return
	}
	r.events = append(r.events, ev)
}

// check refuses the events that say what their source may not say.
func (r *reading) check(s *topology.Source) {
	r.events = slices.DeleteFunc(r.events, func(ev *schemas.Event) bool {
		member, text := s.CheckEvent(ev)
		if text != "" {
			r.refuse(string(ev.ID), &fault{member, text + " (checks of " + s.Name + ")"})
		}
		return text != ""
	})
}

// refuse adds a reject.
func (r *reading) refuse(part string, f *fault) { r.rejects = append(r.rejects, reject{part, f}) }

// event starts an event of the delivery with its envelope. at is when it happened at the source; where the source gives
// no time it is when we took it. part tells apart the events of one delivery.
func (d *delivery) event(o origin, part string, typ schemas.EventType, subject string, at *time.Time) *schemas.Event {
	ev := &schemas.Event{
		ID: schemas.NewEventID(o.source, o.id, part), Type: typ, Source: o.source, System: d.source.System, Subject: subject,
		IngestedAt: d.received.UTC().Truncate(time.Microsecond), DeliveryID: o.id, RawRef: d.rawRef(), Extensions: map[string]string{},
	}
	ev.Time = ev.IngestedAt
	if at != nil {
		ev.Time = *at
	}
	return ev
}

// timeText keeps the source's own text of the event's time where that says more than the typed time.
func (d *delivery) timeText(ev *schemas.Event, n *node, path string) {
	if v := n.get(path); v.leaf() && v.text != ev.Time.Format(time.RFC3339Nano) {
		ev.TimeText = v.text
		v.taken = true
	}
}

// business is the identity of a fact: type/subject/object/version. The object is left out where it is the subject
// itself; a fact with neither object nor version has only its delivery to tell it by.
func business(ev *schemas.Event, object, version string) string {
	id := string(ev.Type) + "/" + ev.Subject
	if object == "" && version == "" {
		return id + "/" + ev.DeliveryID
	}
	if object != "" && object != ev.Subject {
		id += "/" + object
	}
	if version != "" {
		id += "/" + version
	}
	return id
}

// versionText is a time as a version: the same instant gives the same text whatever its offset. Empty for nil.
func versionText(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

// quarantined is the record of a reject: the whole body, the headers less credentials.
func (d *delivery) quarantined(o origin, r reject) *schemas.Quarantined {
	return &schemas.Quarantined{
		ID: schemas.NewEventID(o.source, o.id, "quarantine/"+r.part), Source: d.source.Name, Platform: string(d.source.Platform),
		DeliveryID: o.id, Reason: schemas.MaskText(r.fault.Error()), Field: clip(r.fault.Field), ContentType: d.head("Content-Type"),
		Headers: plainHeaders(d.header), Body: d.body, ReceivedAt: d.received.UTC().Truncate(time.Microsecond),
	}
}
