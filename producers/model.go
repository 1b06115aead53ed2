package producers

import (
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/binaryandbeyond/seam/schemas"
)

// maxIndex bounds list positions in column names: "order.lines.0.sku".
const maxIndex = 1000

var (
	moneyType = reflect.TypeFor[*schemas.Money]()
	timeType  = reflect.TypeFor[*time.Time]()
)

// modelNames are the members of each struct of the model by their names in JSON, files and ownership.yaml: the Go name in
// snake case ("TrackingURL" is tracking_url). Corrections are not among them: no source makes one.
func modelNames(t reflect.Type) map[string]int {
	names := map[string]int{}
	for i := range t.NumField() {
		if t.Field(i).Type != reflect.TypeFor[*schemas.Correction]() {
			names[snake(t.Field(i).Name)] = i
		}
	}
	return names
}

// snake turns a Go name into snake case: ID is id, PaymentStatus payment_status, OrderIDs order_ids.
func snake(name string) string {
	r := []rune(strings.ReplaceAll(name, "IDs", "Ids"))
	var b strings.Builder
	for i, c := range r {
		if unicode.IsUpper(c) && i > 0 && (!unicode.IsUpper(r[i-1]) || i+1 < len(r) && unicode.IsLower(r[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// fillPart fills the part of the event that has that name ("order", "fulfillment") from an object and tells whether
// there is such a part. Members that the part does not have are left untaken.
func (t *taker) fillPart(ev *schemas.Event, name string, n *node, currency string) bool {
	v := reflect.ValueOf(ev).Elem()
	i, ok := modelNames(v.Type())[name]
	if !ok || !isPart(v.Field(i).Type()) {
		return false
	}
	if n.kind != kindObject {
		t.fail(n, "", "an object was expected")
		return true
	}
	t.fill(v.Field(i), n, currency)
	return true
}

// isPart tells whether a field of Event is one of its parts, not its envelope.
func isPart(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct && t != timeType && t != moneyType
}

// fill sets v from n: objects to structs, arrays to slices, leaves to what v is.
func (t *taker) fill(v reflect.Value, n *node, currency string) {
	if !n.present() || t.err != nil {
		return
	}
	switch {
	case v.Type() == moneyType && n.kind == kindObject:
		v.Set(reflect.ValueOf(t.amountOf(n.up, n.name)))
	case isPart(v.Type()):
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		t.fill(v.Elem(), n, currency)
	case v.Kind() == reflect.Struct:
		if n.kind != kindObject {
			t.fail(n, "", "an object was expected, found %q", n.text)
			return
		}
		names := modelNames(v.Type())
		for _, kid := range n.kids {
			if i, ok := names[kid.name]; ok {
				t.fill(v.Field(i), kid, currency)
			}
		}
	case v.Kind() == reflect.Slice:
		if n.kind != kindArray {
			t.fail(n, "", "a list was expected")
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.kids), len(n.kids)))
		for i, kid := range n.kids {
			t.fill(v.Index(i), kid, currency)
		}
	default:
		t.fillLeaf(v, n, currency)
	}
}

// fillLeaf sets a text, a count, an amount or a time. Counts of the model are never negative.
func (t *taker) fillLeaf(v reflect.Value, n *node, currency string) {
	switch {
	case v.Type() == moneyType:
		v.Set(reflect.ValueOf(t.money(n.up, n.name, currency)))
	case v.Type() == timeType:
		v.Set(reflect.ValueOf(t.when(n.up, n.name)))
	case v.Kind() == reflect.Int64:
		v.SetInt(t.count(n.up, n.name))
	case v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Int64:
		c := t.count(n.up, n.name)
		v.Set(reflect.ValueOf(&c))
	case v.Kind() == reflect.String && n.kind == kindNumber:
		v.SetString(t.id(n.up, n.name))
	case v.Kind() == reflect.String:
		v.SetString(t.text(n.up, n.name))
	}
}

// modelPath finds the value of the event that a dotted path names ("order.lines.0.sku"), making what is on the way; ok
// is false when the model has no such path.
func modelPath(ev *schemas.Event, path string) (reflect.Value, bool) {
	v := reflect.ValueOf(ev).Elem()
	for depth, name := range strings.Split(path, ".") {
		if isPart(v.Type()) {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		switch v.Kind() {
		case reflect.Struct:
			i, ok := modelNames(v.Type())[name]
			if !ok || depth == 0 && !isPart(v.Field(i).Type()) {
				return v, false
			}
			v = v.Field(i)
		case reflect.Slice:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i > maxIndex {
				return v, false
			}
			for v.Len() <= i {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v = v.Index(i)
		default:
			return v, false
		}
	}
	return v, !isPart(v.Type()) && v.Kind() != reflect.Slice && v.Kind() != reflect.Struct
}

// hasModelPath tells whether a column may be mapped to the path.
func hasModelPath(path string) bool {
	_, ok := modelPath(&schemas.Event{}, path)
	return ok || envelopePaths[path]
}

// envelopePaths are the paths beside the model's that a file's columns may name.
var envelopePaths = map[string]bool{"subject": true, "time": true, "source_version": true, "correlation_id": true, "currency": true}

// objectID is the id of the thing the event is about, where its part has one.
func objectID(ev *schemas.Event) string {
	switch {
	case ev.Refund != nil && ev.Refund.ID != "":
		return ev.Refund.ID
	case ev.Payment != nil && ev.Payment.ID != "":
		return ev.Payment.ID
	case ev.Fulfillment != nil && ev.Fulfillment.ID != "":
		return ev.Fulfillment.ID
	case ev.Fraud != nil && ev.Fraud.ID != "":
		return ev.Fraud.ID
	case ev.Dispute != nil && ev.Dispute.ID != "":
		return ev.Dispute.ID
	case ev.Return != nil && ev.Return.ID != "":
		return ev.Return.ID
	case ev.Invoice != nil && ev.Invoice.ID != "":
		return ev.Invoice.ID
	}
	return ""
}
