package schemas

import (
	"bytes"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Envelope is what the headers of a record say: enough to know an event without decoding its value.
type Envelope struct {
	ID            EventID
	Type          EventType
	Source        string
	System        System
	Subject       string
	BusinessID    string
	SourceVersion string
	TraceParent   string
	TraceState    string
	Time          time.Time
}

// Trace is a W3C trace context: the values of the headers traceparent and tracestate; empty where there is none.
type Trace struct{ Parent, State string }

// TraceID is the trace of a traceparent in hexadecimal; empty where it names none.
func TraceID(traceparent string) string {
	if len(traceparent) < len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") || traceparent[2] != '-' || traceparent[35] != '-' {
		return ""
	}
	id := traceparent[3:35]
	for i := range len(id) {
		if c := id[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return ""
		}
	}
	return id
}

// EventHeaders are the CloudEvents 1.0 headers of an event in Kafka's binary mode, with traceparent where it is not
// empty. They hold nothing personal.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
func EventHeaders(ev *Event, traceparent string) []kgo.RecordHeader {
	var stamp [len("2006-01-02T15:04:05.999999999Z")]byte
	attributes := [...]struct{ key, value string }{
		{"ce_specversion", "1.0"}, {"ce_id", string(ev.ID)}, {"ce_type", string(ev.Type)}, {"ce_source", ev.Source},
		{"ce_subject", ev.Subject}, {"ce_time", string(ev.Time.UTC().AppendFormat(stamp[:0], time.RFC3339Nano))}, {"ce_system", string(ev.System)},
		{"ce_businessid", ev.BusinessID}, {"ce_sourceversion", ev.SourceVersion},
		{"content-type", "application/avro"}, {"traceparent", traceparent},
	}
	size := 0
	for i := range attributes {
		size += len(attributes[i].value)
	}
	out := make([]kgo.RecordHeader, 0, len(attributes))
	values := make([]byte, 0, size) // all of them in one piece of memory
	for i := range attributes {
		if a := &attributes[i]; a.value != "" { // CloudEvents forbids empty attributes
			from := len(values)
			values = append(values, a.value...)
			out = append(out, kgo.RecordHeader{Key: a.key, Value: values[from:len(values):len(values)]})
		}
	}
	return out
}

// EnvelopeOf reads the headers that EventHeaders wrote. False when one that every event has is missing or does not
// parse, or the version is not 1.x: then the value must be decoded. Of a repeated header the last counts.
func EnvelopeOf(headers []kgo.RecordHeader) (Envelope, bool) {
	var e Envelope
	var known bool // the version
	var at string
	for i := range headers {
		h := &headers[i]
		switch h.Key {
		case "ce_specversion":
			known = bytes.HasPrefix(h.Value, []byte("1."))
		case "ce_id":
			e.ID = EventID(h.Value)
		case "ce_type":
			e.Type = typeOf(h.Value)
		case "ce_source":
			e.Source = string(h.Value)
		case "ce_system":
			e.System = System(h.Value)
		case "ce_subject":
			e.Subject = string(h.Value)
		case "ce_businessid":
			e.BusinessID = string(h.Value)
		case "ce_sourceversion":
			e.SourceVersion = string(h.Value)
		case "ce_time":
			at = string(h.Value)
		case "traceparent":
			e.TraceParent = string(h.Value)
		case "tracestate":
			e.TraceState = string(h.Value)
		}
	}
	t, err := time.Parse(time.RFC3339Nano, at)
	e.Time = t.UTC()
	whole := known && e.ID != "" && e.Type != "" && e.Source != "" && e.System != "" && e.Subject != ""
	return e, whole && err == nil
}

// typesByText are the types of the model, so that what says one of them needs no memory of its own.
var typesByText = func() map[string]EventType {
	out := make(map[string]EventType, len(EventTypes))
	for _, et := range EventTypes {
		out[string(et)] = et
	}
	return out
}()

func typeOf(text []byte) EventType {
	if et, ok := typesByText[string(text)]; ok {
		return et
	}
	return EventType(text)
}
