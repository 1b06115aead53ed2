package producers

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// fileFormat is a checked topology.FileFormat.
type fileFormat struct {
	topology.FileFormat
	columns []mapped // sorted by path
	zone    *time.Location
	json    bool
}

// mapped is a model path and the column it is read from.
type mapped struct{ path, column string }

// newFileFormat checks a format; the error joins every fault.
func newFileFormat(f topology.FileFormat) (fileFormat, error) {
	out := fileFormat{FileFormat: f, json: f.Format == "json" || f.Format == "" && strings.Contains(path.Ext(f.Match), "json")}
	var faults []error
	fail := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("files: "+format, args...))
	}
	if _, err := path.Match(f.Match, ""); err != nil || f.Match == "" {
		fail("match %q is not a pattern: write one like orders_*.csv", f.Match)
	}
	if f.Format != "" && f.Format != "csv" && f.Format != "json" {
		fail("%s: format %q is neither csv nor json", f.Match, f.Format)
	}
	zone, err := time.LoadLocation(f.Zone)
	if err != nil {
		fail("%s: zone %q is unknown: write an IANA zone like Europe/Vienna", f.Match, f.Zone)
	}
	out.zone = zone
	for p, column := range f.Columns {
		out.columns = append(out.columns, mapped{p, column})
		if !hasModelPath(p) {
			fail("%s: columns: %q is not a field of the model: write one like order.total, invoice.lines.0.sku, subject, time", f.Match, p)
		}
	}
	slices.SortFunc(out.columns, func(a, b mapped) int { return cmp.Compare(a.path, b.path) })
	sets := []map[string]string{f.Set}
	for _, r := range f.Rules {
		sets = append(sets, r.Set)
	}
	for _, set := range sets {
		for p := range set {
			if !hasModelPath(p) {
				fail("%s: set: %q is not a field of the model", f.Match, p)
			}
		}
	}
	return out, errors.Join(faults...)
}

func (f *fileFormat) contentType() string {
	if f.json {
		return "application/json"
	}
	return "text/csv"
}

// event makes a row's event.
func (b *batchFile) event(r row) (*schemas.Event, *fault) {
	if r.fault != nil {
		return nil, r.fault
	}
	f := b.format
	b.w.e.look(b.w.source, string(f.Type), r.node)
	t := &taker{zone: f.zone, time: f.Time}
	typ, sets := f.Type, []map[string]string{f.Set}
	for _, rule := range f.Rules {
		if v := r.node.get(rule.Column); v.leaf() && strings.HasPrefix(v.text, rule.Prefix) {
			typ, sets = rule.Type, append(sets, rule.Set)
			break
		}
	}
	d := &delivery{source: b.w.source, received: b.taken, trace: b.trace}
	o := b.origin(r)
	ev := d.event(o, "", typ, "", nil)
	ev.Time, ev.RawRef = b.mtime.UTC().Truncate(time.Microsecond), "sha256:"+b.hash
	currency := f.currency(r.node)
	for _, set := range sets {
		t.setConstants(ev, set, currency)
	}
	for _, c := range f.columns {
		t.setColumn(ev, c, r.node.get(c.column), currency)
	}
	rowSubject(t, f, ev)
	rowSigns(t, ev, r.node)
	t.rest(r.node, ev.Extensions)
	if t.err != nil {
		return nil, t.err
	}
	rowDefaults(ev)
	ev.BusinessID = rowBusiness(ev)
	return ev, nil
}

// currency is the row's currency, where a column has it, or the format's.
func (f *fileFormat) currency(n *node) string {
	if column, ok := f.Columns["currency"]; ok {
		if v := n.get(column); v.leaf() && v.text != "" {
			v.taken = true
			return v.text
		}
	}
	return f.Currency
}

// setColumn puts a cell where its path says; an empty cell says nothing.
func (t *taker) setColumn(ev *schemas.Event, c mapped, v *node, currency string) {
	if !v.leaf() || strings.TrimSpace(v.text) == "" || t.err != nil {
		return
	}
	switch c.path {
	case "currency":
	case "subject":
		ev.Subject = strings.TrimSpace(t.id(v.up, v.name))
	case "source_version":
		ev.SourceVersion = t.text(v.up, v.name)
	case "correlation_id":
		ev.CorrelationID = t.text(v.up, v.name)
	case "time":
		if at := t.when(v.up, v.name); at != nil {
			ev.Time = *at
			if !v.taken {
				ev.TimeText, v.taken = v.text, true
			}
		}
	default:
		at, ok := modelPath(ev, c.path)
		if !ok {
			t.fail(v, "", "%s is not a field of the model", c.path)
			return
		}
		if at.Type() == moneyType && currency == "" {
			t.fail(v, "", "an amount without its currency: give the file a currency, or map a column to currency")
			return
		}
		if unitPath(c.path) {
			if m := t.unitPrice(v.up, v.name, currency); m != nil {
				at.Set(reflect.ValueOf(m))
			}
			return
		}
		t.fill(at, v, currency)
	}
}

// unitPath tells prices of one unit, which may have more decimals than the currency: see taker.unitPrice.
func unitPath(p string) bool { return strings.HasSuffix(p, ".price") }

// setConstants fills model fields that the format gives to every row.
func (t *taker) setConstants(ev *schemas.Event, set map[string]string, currency string) {
	parent := &node{kind: kindObject}
	for p, text := range set {
		v := &node{kind: kindString, name: p, text: text, up: parent}
		parent.kids = append(parent.kids, v)
		t.setColumn(ev, mapped{p, p}, v, currency)
	}
}

// rowSubject finds the record key where no column is mapped to it.
func rowSubject(t *taker, f *fileFormat, ev *schemas.Event) {
	var from string
	switch topic := ev.Type.Topic(); {
	case ev.Subject != "" || t.err != nil:
		return
	case topic == schemas.TopicCustomers && ev.Customer != nil:
		ev.Subject, from = ev.Customer.ID, "customer.id"
	case topic == schemas.TopicInventory && ev.Inventory != nil && ev.Inventory.LocationID != "" && ev.Inventory.ItemID != "":
		ev.Subject = ev.Inventory.LocationID + "/" + ev.Inventory.ItemID
	case topic == schemas.TopicInventory:
		from = "inventory.location_id and inventory.item_id"
	case ev.Order != nil && ev.Order.ID != "":
		ev.Subject = ev.Order.ID
	case ev.Invoice != nil && ev.Invoice.OrderID != "":
		ev.Subject = ev.Invoice.OrderID
	default:
		from = "subject"
	}
	if ev.Subject == "" {
		t.fail(nil, f.Columns[from], "the row does not say whom it is about (%s): fill the cell, or map a column to it", from)
	}
}

// rowSigns turns negative quantities of what comes back into positive ones; elsewhere they are a fault, as a sale of
// less than nothing means something that the type does not say. The cell's own text stays in the extensions.
func rowSigns(t *taker, ev *schemas.Event, n *node) {
	back := ev.Type == schemas.InvoiceCancelled || strings.HasPrefix(string(ev.Type), "return.") || strings.HasPrefix(string(ev.Type), "refund.")
	var lists [][]schemas.Line
	if ev.Order != nil {
		lists = append(lists, ev.Order.Lines)
	}
	if ev.Invoice != nil {
		lists = append(lists, ev.Invoice.Lines)
	}
	if ev.Return != nil {
		lists = append(lists, ev.Return.Lines)
	}
	if ev.Refund != nil {
		lists = append(lists, ev.Refund.Lines)
		ev.Refund.Amount = absolute(ev.Refund.Amount)
	}
	for _, lines := range lists {
		for i := range lines {
			if lines[i].Quantity >= 0 {
				continue
			}
			if !back {
				t.fail(nil, "quantity", "quantity %d is negative in a row of type %s: add a rule that gives such rows their type (invoice.cancelled, return.received)", lines[i].Quantity, ev.Type)
				return
			}
			lines[i].Quantity = -lines[i].Quantity
			for _, kid := range n.kids {
				if kid.taken && strings.HasPrefix(strings.TrimSpace(kid.text), "-") {
					kid.taken = false
				}
			}
		}
	}
}

// rowDefaults fills what follows from the rest.
func rowDefaults(ev *schemas.Event) {
	if ev.Order != nil && ev.Order.ID == "" {
		ev.Order.ID = ev.Subject
	}
	if ev.Customer != nil && ev.Customer.ID == "" {
		ev.Customer.ID = ev.Subject
	}
	if ev.Invoice != nil && ev.Invoice.OrderID == "" {
		ev.Invoice.OrderID = ev.Subject
	}
	if ev.Invoice != nil && ev.Invoice.Kind == "" {
		ev.Invoice.Kind = map[schemas.EventType]string{schemas.InvoiceCancelled: "credit"}[ev.Type]
		if ev.Invoice.Kind == "" {
			ev.Invoice.Kind = "invoice"
		}
	}
}

// rowBusiness takes a row with a version for the state of one thing, as webhooks tell it. Any other row is a fact of its
// own, however much it looks like another: so is a row that is one line of an order or invoice.
func rowBusiness(ev *schemas.Event) string {
	line := ev.Order != nil && len(ev.Order.Lines) > 0 || ev.Invoice != nil && len(ev.Invoice.Lines) > 0
	if ev.SourceVersion == "" || line {
		return business(ev, "", "")
	}
	return webhookBusiness(ev)
}
