package schemas

import (
	"sort"
	"strconv"
	"strings"
)

// lift makes an accessor of a part one of events; its pointer is nil where the event has no such part.
func lift[P, T any](part func(*Event) *P, at func(*P) *T) func(*Event) *T {
	return func(ev *Event) *T {
		p := part(ev)
		if p == nil {
			return nil
		}
		return at(p)
	}
}

func order[T any](at func(*Order) *T) func(*Event) *T {
	return lift(func(ev *Event) *Order { return ev.Order }, at)
}

func payment[T any](at func(*Payment) *T) func(*Event) *T {
	return lift(func(ev *Event) *Payment { return ev.Payment }, at)
}

func refund[T any](at func(*Refund) *T) func(*Event) *T {
	return lift(func(ev *Event) *Refund { return ev.Refund }, at)
}

func fulfillment[T any](at func(*Fulfillment) *T) func(*Event) *T {
	return lift(func(ev *Event) *Fulfillment { return ev.Fulfillment }, at)
}

func customer[T any](at func(*Customer) *T) func(*Event) *T {
	return lift(func(ev *Event) *Customer { return ev.Customer }, at)
}

// own is a field that is owned and never compared: systems have their own words for it. Its zero value is "not said".
func own[T comparable](name Field, at func(*Event) *T) fieldAccess {
	var zero T
	return fieldAccess{
		name: name,
		says: func(ev *Event) bool {
			p := at(ev)
			return p != nil && *p != zero
		},
		clear: func(ev *Event) { *at(ev) = zero },
	}
}

// list is own for lists.
func list[T any](name Field, at func(*Event) *[]T) fieldAccess {
	return fieldAccess{
		name: name,
		says: func(ev *Event) bool {
			p := at(ev)
			return p != nil && len(*p) > 0
		},
		clear: func(ev *Event) { *at(ev) = nil },
	}
}

// textField is a field that is one string; empty is "not said".
func textField(name Field, at func(*Event) *string) fieldAccess {
	f := own(name, at)
	f.get = func(ev *Event) (string, bool) {
		p := at(ev)
		if p == nil || *p == "" {
			return "", false
		}
		return *p, true
	}
	return f
}

// moneyField is a field that is one amount.
func moneyField(name Field, at func(*Event) **Money) fieldAccess {
	f := own(name, at)
	f.money = true
	f.get = func(ev *Event) (string, bool) {
		p := at(ev)
		if p == nil || *p == nil {
			return "", false
		}
		return (*p).String(), true
	}
	return f
}

// addressField is a field that is one address.
func addressField(name Field, at func(*Event) **Address) fieldAccess {
	f := own(name, at)
	f.get = func(ev *Event) (string, bool) {
		p := at(ev)
		if p == nil || *p == nil {
			return "", false
		}
		a := *p
		return strings.Join([]string{a.Name, a.Company, a.Address1, a.Address2, a.City, a.Province, a.Zip, a.Country, a.Phone}, "|"), true
	}
	return f
}

// also adds members to a field that go with it wherever it goes, and are not compared.
func also(f fieldAccess, says func(*Event) bool, clear func(*Event)) fieldAccess {
	saysSelf, clearSelf := f.says, f.clear
	f.says = func(ev *Event) bool { return saysSelf(ev) || says(ev) }
	f.clear = func(ev *Event) {
		clearSelf(ev)
		clear(ev)
	}
	return f
}

// linesText is one text for a set of lines, the same whatever their order.
func linesText(lines []Line) string {
	parts := make([]string, len(lines))
	for i, l := range lines {
		parts[i] = l.ID + "x" + strconv.FormatInt(l.Quantity, 10)
	}
	sort.Strings(parts)
	return strings.Join(parts, ",")
}
