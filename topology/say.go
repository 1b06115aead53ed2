package topology

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// placeOf finds the place of a dotted path of the model ("order.total"), making the parts on the way; ok is false for paths that
// are none, and for lists and parts as a whole.
func placeOf(ev *schemas.Event, path string) (v reflect.Value, ok bool) {
	v = reflect.ValueOf(ev).Elem()
	for depth, name := range slices.Collect(strings.SplitSeq(path, ".")) {
		if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return v, false
		}
		i := slices.IndexFunc(viewFields(v.Type()), func(f viewField) bool { return f.name == name && (depth > 0 || f.part) })
		if i < 0 {
			return v, false
		}
		v = v.Field(i)
	}
	switch v.Type() {
	case reflect.PointerTo(moneyType), reflect.PointerTo(timeType):
		return v, true
	}
	return v, v.Kind() == reflect.String || v.Kind() == reflect.Int64 || v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Int64
}

// say sets a member of an event; nil says nothing of it.
func say(ev *schemas.Event, path string, value any) error {
	if value == nil {
		return nil
	}
	v, ok := placeOf(ev, path)
	if !ok {
		return fmt.Errorf("the model has no member %q", path)
	}
	text := fmt.Sprint(value)
	switch v.Type() {
	case reflect.PointerTo(moneyType):
		m, err := moneyOf(value)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(m))
		return nil
	case reflect.PointerTo(timeType):
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			return fmt.Errorf("a time as RFC 3339 was expected")
		}
		at = at.UTC().Truncate(time.Microsecond)
		v.Set(reflect.ValueOf(&at))
		return nil
	}
	switch value.(type) {
	case map[string]any, []any:
		return fmt.Errorf("a text or a number was expected, and it is a list or an object")
	}
	if v.Kind() == reflect.String {
		v.SetString(text)
		return nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("a whole number was expected")
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.ValueOf(&n))
	} else {
		v.SetInt(n)
	}
	return nil
}

// moneyOf reads {amount, currency} and "12.50 EUR".
func moneyOf(value any) (*schemas.Money, error) {
	if m, ok := value.(map[string]any); ok {
		return schemas.NewMoney(fmt.Sprint(m["amount"]), fmt.Sprint(m["currency"]))
	}
	amount, currency, _ := strings.Cut(fmt.Sprint(value), " ")
	if currency == "" {
		return nil, fmt.Errorf("an amount with its currency was expected, like 12.50 EUR")
	}
	return schemas.NewMoney(amount, currency)
}

// mostReadBack is the longest that a record is read back after its call: what is still to be read holds the offset of its group.
const mostReadBack = Duration(24 * time.Hour)

// defaults fills what a read-back left out; nil has none.
func (rb *ReadBack) defaults() {
	if rb != nil {
		or(&rb.After, Duration(time.Minute))
	}
}

// scale is Topology.Scale of a read-back; nil has nothing to scale.
func (rb *ReadBack) scale(scale func(*Duration)) {
	if rb == nil {
		return
	}
	for _, d := range []*Duration{&rb.After, &rb.Every, &rb.Until} {
		scale(d)
	}
}

// readBack checks what a route reads back.
func (l *loader) readBack(file, at string, r *Route) {
	rb := r.ReadBack
	if rb == nil {
		return
	}
	at += ".read_back"
	for _, et := range r.On {
		if et != RefundFull && et.Topic() != schemas.TopicOrders {
			l.at(file, at, "read_back observes orders, and the route acts on %s", et)
		}
	}
	if r.HTTP == nil {
		l.at(file, at, "read_back needs a route with http: whom would it ask?")
	}
	if rb.Get.source == "" {
		l.at(file, at, "get is missing: where is the record of a call read?")
	}
	l.fixedHost(file, at+".get", rb.Get.source)
	if rb.Every > 0 && (rb.Until <= rb.After || rb.Until > mostReadBack) || rb.Every == 0 && rb.Until > 0 {
		l.at(file, at, "every and until belong together: until is more than after (%s) and a day at most", rb.After.D())
	}
	if rb.After > mostReadBack {
		l.at(file, at, "after is %s, and a day is the most", rb.After.D())
	}
	for _, name := range slices.Sorted(maps.Keys(rb.Says)) {
		if _, ok := placeOf(&schemas.Event{}, name); !ok || strings.HasPrefix(name, "read_back.") {
			l.at(file, at+".says."+name, "the model has no member %q that a read-back can say: name a text, a count, a time or an amount, like fulfillment.status", name)
		}
	}
}

// ReadsBack tells whether some route of the integration reads its calls back.
func (in *Integration) ReadsBack() bool {
	return slices.ContainsFunc(in.Deliver, func(r Route) bool { return r.ReadBack != nil })
}

// ReadBackGroup is the consumer group of the integration's read-backs.
func (t *Topology) ReadBackGroup(integration string) string {
	return t.Group(integration) + ".read-back"
}
