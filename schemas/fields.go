package schemas

// Field is a field of the model that has an owner: "order.total". ownership.yaml names one owner for each.
type Field string

// fieldAccess reads a field of an event as text and takes it out. Get's ok is false where the event does not speak of it;
// says is that ok alone, for those who need no text.
type fieldAccess struct {
	name  Field
	says  func(*Event) bool
	get   func(*Event) (string, bool)
	clear func(*Event)
}

// FieldValue is one field as an event says it: money as "12.50 EUR", counts as digits, lists as one text.
type FieldValue struct {
	Field Field
	Value string
}

// Fields lists every field that can be owned, in the order of the model.
func Fields() []Field {
	out := make([]Field, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// FieldsOf gives what the event says of ownable fields, in the order of the model.
func FieldsOf(ev *Event) []FieldValue {
	var out []FieldValue
	for _, f := range fields {
		if v, ok := f.get(ev); ok {
			out = append(out, FieldValue{f.name, v})
		}
	}
	return out
}

// Says gives the ownable fields that the event speaks of: FieldsOf without the values, which cost far more.
func Says(ev *Event) []Field {
	out := make([]Field, 0, 8)
	for i := range fields {
		if fields[i].says(ev) {
			out = append(out, fields[i].name)
		}
	}
	return out
}

// Without is a copy of the event with the named fields taken out; the event itself is left alone. A field it does not
// speak of is no fault.
func Without(ev *Event, drop []Field) *Event {
	if len(drop) == 0 {
		return ev
	}
	c := ev.clone()
	for _, d := range drop {
		for _, f := range fields {
			if f.name == d && f.says(c) {
				f.clear(c)
			}
		}
	}
	return c
}

// clone copies the event and the parts that clear functions write to.
func (ev *Event) clone() *Event {
	c := *ev
	c.Order = copyOf(ev.Order)
	c.Payment = copyOf(ev.Payment)
	c.Refund = copyOf(ev.Refund)
	c.Fulfillment = copyOf(ev.Fulfillment)
	c.Fraud = copyOf(ev.Fraud)
	c.Invoice = copyOf(ev.Invoice)
	c.Enrichment = copyOf(ev.Enrichment)
	c.Customer = copyOf(ev.Customer)
	c.Inventory = copyOf(ev.Inventory)
	return &c
}

func copyOf[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}
