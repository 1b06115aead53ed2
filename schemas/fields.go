package schemas

import (
	"iter"
	"math/bits"
	"slices"
	"strings"
	"unicode"
)

// Field is a field of the model that has an owner: "order.total". ownership.yaml names one owner for each.
type Field string

// FieldSet is a set of fields, a bit for each by its place in Fields. The zero value is the empty set. The ledger keeps sets,
// so that a field never changes its place.
type FieldSet int64

// fieldAccess reads a field of an event as text and takes it out. Get's ok is false where the event does not say its value;
// get is nil where values of two systems cannot be held against each other. says is that the event speaks of it, or of
// anything that goes with it.
type fieldAccess struct {
	name  Field
	says  func(*Event) bool
	get   func(*Event) (string, bool)
	clear func(*Event)
	money bool // its values are amounts of a currency
}

// FieldValue is one field as an event says it: money as "12.50 EUR", counts as digits, lists as one text.
type FieldValue struct {
	Field Field
	Value string
}

// places is the bit of each field.
var places = func() map[Field]FieldSet {
	out := make(map[Field]FieldSet, len(fields))
	for i := range fields {
		out[fields[i].name] = 1 << i
	}
	return out
}()

// ofKind is the fields whose names begin with a word.
func ofKind(kind string) (s FieldSet) {
	for i := range fields {
		if strings.HasPrefix(string(fields[i].name), kind+".") {
			s |= 1 << i
		}
	}
	return s
}

// The fields of each part of an event.
var (
	inEnrichment  = SetOf("order.enrichment")
	inOrder       = ofKind("order") &^ inEnrichment
	inPayment     = ofKind("payment")
	inRefund      = ofKind("refund")
	inFulfillment = ofKind("fulfillment")
	inFraud       = ofKind("fraud")
	inInvoice     = ofKind("invoice")
	inCustomer    = ofKind("customer")
	inInventory   = ofKind("inventory")
)

// states is the fields of an order, a customer or an item itself, of which the newest version counts. All others are of one
// payment, refund, parcel, assessment or invoice of several.
var states = inOrder | inEnrichment | inCustomer | inInventory

// SetOf is the set of the fields named; a name that is no field of the model is left out.
func SetOf(names ...Field) (s FieldSet) {
	for _, f := range names {
		s |= places[f]
	}
	return s
}

// All walks the set in the order of Fields: each field's place in Fields, from 0, and its name. Bits of no field, as a newer
// version may write them, are passed by.
func (s FieldSet) All() iter.Seq2[int, Field] {
	return func(yield func(int, Field) bool) {
		for rest := uint64(s); rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(rest)
			if i >= len(fields) || !yield(i, fields[i].name) {
				return
			}
		}
	}
}

// Names lists the set in the order of Fields; nil for the empty set.
func (s FieldSet) Names() []string {
	var out []string
	for _, f := range s.All() {
		out = append(out, string(f))
	}
	return out
}

// States is the part of the set that is of an order, a customer or an item itself: see FieldSet.
func (s FieldSet) States() FieldSet { return s & states }

// Comparable tells whether what two systems say of a field can be held against each other: FieldsOf gives only such.
func (f Field) Comparable() bool {
	return slices.ContainsFunc(fields, func(a fieldAccess) bool { return a.name == f && a.get != nil })
}

// Topic is the event topic of the field's subject: orders, customers or inventory.
func (f Field) Topic() string { return EventType(f).Topic() }

// IsMoney tells whether a field's values are amounts of a currency.
func (f Field) IsMoney() bool {
	return slices.ContainsFunc(fields, func(a fieldAccess) bool { return a.name == f && a.money })
}

// IsCount tells whether a field's values are whole numbers.
func (f Field) IsCount() bool { return f == "inventory.available" }

// Fields lists every field that can be owned; a field's place here never changes.
func Fields() []Field {
	out := make([]Field, len(fields))
	for i, f := range fields {
		out[i] = f.name
	}
	return out
}

// FieldsOf gives what the event says of fields whose values can be compared, in the order of Fields.
func FieldsOf(ev *Event) []FieldValue {
	var out []FieldValue
	for _, f := range fields {
		if f.get == nil {
			continue
		}
		if v, ok := f.get(ev); ok {
			out = append(out, FieldValue{f.name, v})
		}
	}
	return out
}

// ValueOf is what the event says of one field, as FieldsOf gives it; false where it does not.
func ValueOf(ev *Event, field Field) (string, bool) {
	for i := range fields {
		if f := &fields[i]; f.name == field && f.get != nil {
			return f.get(ev)
		}
	}
	return "", false
}

// Says gives the fields that the event speaks of, whether their values can be compared or not.
func Says(ev *Event) (s FieldSet) {
	s = ev.SealedSays
	for rest := uint64(partsOf(ev)); rest != 0; rest &= rest - 1 {
		if i := bits.TrailingZeros64(rest); fields[i].says(ev) {
			s |= 1 << i
		}
	}
	return s
}

// partsOf is the fields of the parts that the event has: of others it cannot speak.
func partsOf(ev *Event) (s FieldSet) {
	for _, part := range [...]struct {
		there bool
		in    FieldSet
	}{
		{ev.Order != nil, inOrder}, {ev.Enrichment != nil, inEnrichment}, {ev.Payment != nil, inPayment}, {ev.Refund != nil, inRefund},
		{ev.Fulfillment != nil, inFulfillment}, {ev.Fraud != nil, inFraud}, {ev.Invoice != nil, inInvoice}, {ev.Customer != nil, inCustomer}, {ev.Inventory != nil, inInventory},
	} {
		if part.there {
			s |= part.in
		}
	}
	return s
}

// Without is a copy of the event with a set of fields taken out; the event itself is left alone. A field it does not speak
// of is no fault.
func Without(ev *Event, drop FieldSet) *Event {
	if drop == 0 {
		return ev
	}
	c := ev.clone()
	for i := range drop.All() {
		if fields[i].says(c) {
			fields[i].clear(c)
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

// forms brings values that people write in many ways to one form.
var forms = map[Field]func(string) string{
	"order.email":            email,
	"order.phone":            phone,
	"order.note":             strings.TrimSpace,
	"order.shipping_address": spaced,
	"order.billing_address":  spaced,
	"order.enrichment":       strings.TrimSpace,
	"customer.email":         email,
	"customer.name":          spaced,
	"customer.phone":         phone,
	"customer.address":       spaced,
}

// Form is a field's value as it is compared: two systems agree when their forms are equal. An address is the same in upper
// and lower case, a phone number with and without spaces.
func Form(field Field, value string) string {
	if form := forms[field]; form != nil {
		return form(value)
	}
	return value
}

func email(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// spaced makes one space of many, and one case.
func spaced(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// phone takes the punctuation of phone numbers out.
func phone(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '+' || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}
