package reconcile

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"github.com/binaryandbeyond/seam/schemas"
)

// layout is the version of the tables and of the facts that folds hold.
const layout = "6"

// The tables of a view; docs/view.md tells analysts what they hold. Columns are named as the JSON of an order names them.
var (
	foldsTable = &table{"folds", 2, []column{{"topic", text, false}, {"key", text, false}, {"facts", bytes, false}, {"judged_at", instant, false}, {"due", instant, true}, {"rules", text, false}},
		[]string{"due", "rules"}}
	offsetsTable = &table{"offsets", 2, []column{{"topic", text, false}, {"partition", number, false}, {"next", number, false}, {"topic_id", text, false}}, nil}
	countsTable  = &table{"counts", 2, []column{{"what", text, false}, {"name", text, false}, {"n", number, false}}, nil}
	metaTable    = &table{"meta", 1, []column{{"name", text, false}, {"value", text, false}}, nil}
	leaderTable  = &table{"reconciler", 1, []column{{"id", number, false}, {"instance", text, false}, {"until", instant, false}, {"caught_up_at", instant, true}}, nil}
	// noticesTable is disagreements that changed, toldTable what was told of each last; the latter outlives the view.
	noticesTable = &table{"notices", 5, []column{{"topic", text, false}, {"key", text, false}, {"field", text, false}, {"object", text, false}, {"system", text, false}}, nil}
	toldTable    = &table{"told", 5, []column{{"topic", text, false}, {"key", text, false}, {"field", text, false}, {"object", text, false}, {"system", text, false}, {"since", instant, false}, {"state", text, false},
		{"paged", flag, false}, {"accepted_at", instant, true}}, nil}
	// erasuresTable is what is erased, and is kept when the view is made anew: marks are hashes of addresses, until erased_at.
	erasuresTable = &table{"erasures", 2, []column{{"topic", text, false}, {"key", text, false}, {"customer", text, false}, {"asked_at", instant, false}, {"marks", text, false}, {"erased_at", instant, true},
		{"gone_at", instant, true}}, []string{"erased_at", "gone_at"}}
	arrivalsTable = &table{"arrivals", 3, []column{{"system", text, false}, {"source", text, false}, {"hour", instant, false}, {"events", number, false}, {"last_at", instant, false}, {"ahead_ms", number, false},
		{"behind_ms", number, false}}, nil}
	subscriptionsTable = &table{"subscriptions", 2, []column{{"integration", text, false}, {"event_type", text, false}, {"since", instant, true}}, nil}

	ordersTable = &table{"orders", 2, []column{{"topic", text, false}, {"key", text, false}, {"state", text, false}, {"since", instant, true}, {"until", instant, true}, {"verdict", text, false},
		{"pages", text, false}, {"events", number, false}, {"duplicates", number, false}, {"first_at", instant, true}, {"last_at", instant, true}}, []string{"state, since", "last_at"}}
	integrationsTable = &table{"integrations", 3, []column{{"topic", text, false}, {"key", text, false}, {"integration", text, false}, {"team", text, false}, {"state", text, false},
		{"since", instant, true}, {"until", instant, true}, {"detail", text, false}}, []string{"integration, state, since"}}
	parkedTable = &table{"parked", 4, []column{{"topic", text, false}, {"key", text, false}, {"integration", text, false}, {"event_id", text, false}, {"event_type", text, false}, {"reason", text, false},
		{"detail", text, false}, {"since", instant, true}, {"until", instant, true}}, []string{"integration, reason"}}
	disagreementsTable = &table{"disagreements", 6, []column{{"topic", text, false}, {"key", text, false}, {"field", text, false}, {"object", text, false}, {"system", text, false}, {"since", instant, false},
		{"owner", text, false}, {"owner_value", text, false}, {"value", text, false}, {"deadline", instant, false}, {"closed", instant, true}, {"overdue", flag, false}, {"page", text, false},
		{"state", text, false}, {"owner_time", instant, true}, {"owner_seen_at", instant, true}, {"time", instant, true}, {"seen_at", instant, true}, {"flaps", number, false}, {"who", text, false}, {"why", text, false},
		{"waived_until", instant, true}, {"accepted", text, false}, {"accepted_value", text, false}, {"accepted_at", instant, true}, {"accepted_by", text, false}}, []string{"closed, since", "state, page"}}
	observationsTable = &table{"observations", 5, []column{{"topic", text, false}, {"key", text, false}, {"field", text, false}, {"object", text, false}, {"system", text, false},
		{"owner", text, false}, {"value", text, false}, {"source_version", text, false}, {"time", instant, true}, {"seen_at", instant, true}, {"event_id", text, false}}, nil}
	// withheldTable has one row per event, not per field: a source that tells whole states says many fields that are not its own.
	withheldTable = &table{"withheld", 4, []column{{"topic", text, false}, {"key", text, false}, {"integration", text, false}, {"event_id", text, false}, {"event_type", text, false},
		{"fields", text, false}, {"at", instant, true}}, nil}
	operationsTable = &table{"operations", 3, []column{{"topic", text, false}, {"key", text, false}, {"operation", text, false}, {"state", text, false}, {"begun", instant, false}, {"since", instant, true},
		{"until", instant, true}, {"void", text, false}, {"lacks", text, false}, {"page", text, false}}, []string{"operation, state, since"}}
	// overdueTable has a row for each step of an operation that is late or missing; integration is empty where an event is waited for.
	overdueTable = &table{"overdue_steps", 4, []column{{"topic", text, false}, {"key", text, false}, {"operation", text, false}, {"step", text, false}, {"integration", text, false}, {"state", text, false},
		{"since", instant, true}, {"page", text, false}}, []string{"integration, operation, state"}}
	movementsTable = &table{"movements", 6, []column{{"topic", text, false}, {"key", text, false}, {"kind", text, false}, {"system", text, false}, {"object", text, false}, {"currency", text, false},
		{"amount", amount, false}, {"amount_e4", number, true}, {"day", text, false}, {"at", instant, false}, {"reference", text, false}, {"event_id", text, false}}, []string{"day, currency, kind, system"}}
	differencesTable = &table{"money_differences", 4, []column{{"topic", text, false}, {"key", text, false}, {"comparison", text, false}, {"currency", text, false}, {"amount_a", amount, false}, {"amount_b", amount, false},
		{"difference", amount, false}, {"silent", text, false}, {"since", instant, false}, {"deadline", instant, false}, {"overdue", flag, false}, {"page", text, false}}, []string{"overdue, page"}}
	lookupsTable = &table{"lookups", 4, []column{{"kind", text, false}, {"value", text, false}, {"topic", text, false}, {"key", text, false}}, nil}

	// answers are the tables that follow from folds.
	answers = []*table{ordersTable, integrationsTable, parkedTable, withheldTable, operationsTable, overdueTable, movementsTable, differencesTable, disagreementsTable, observationsTable, lookupsTable}
	tables  = append([]*table{foldsTable, offsetsTable, countsTable, metaTable, leaderTable, subscriptionsTable, arrivalsTable, noticesTable, toldTable, erasuresTable}, answers...)
)

// record is a row of an answer table.
type record struct {
	table  *table
	values []any
}

// name tells a row from all others.
func (r record) name() string {
	var b strings.Builder
	b.WriteString(r.table.name)
	for _, v := range r.values[:r.table.keys] {
		b.WriteByte(0)
		switch v := v.(type) {
		case string:
			b.WriteString(v)
		case time.Time:
			b.WriteString(v.UTC().Format(timeForm))
		}
	}
	return b.String()
}

// same tells whether two rows of one name say the same.
func (r record) same(o record) bool { return slices.EqualFunc(r.values, o.values, equalCells) }

func equalCells(a, b any) bool {
	ta, isA := timeCell(a)
	tb, isB := timeCell(b)
	if isA && isB {
		return ta.Equal(tb)
	}
	if na, ok := a.(*int64); ok {
		nb, ok := b.(*int64)
		return ok && (na == nil) == (nb == nil) && (na == nil || *na == *nb)
	}
	return a == b
}

// timeCell is the time in a cell; zero for a nil pointer to one.
func timeCell(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case *time.Time:
		if v == nil {
			return time.Time{}, true
		}
		return *v, true
	}
	return time.Time{}, false
}

// rowsOf is what the answer tables say of an order.
func rowsOf(o *Order, refs []ref, zone *time.Location) map[string]record {
	out := map[string]record{}
	topic, key := sqlText(o.Topic), sqlText(o.Key)
	put := func(t *table, values ...any) {
		for i, v := range values {
			if s, ok := v.(string); ok {
				values[i] = sqlText(s)
			}
		}
		r := record{t, append([]any{topic, key}, values...)}
		out[r.name()] = r
	}
	first, last := o.reach()
	pages, _ := json.Marshal(o.Pages) // of strings
	put(ordersTable, string(o.State), o.Since, o.Until, o.Verdict, string(pages), int64(len(o.Events)), int64(o.Duplicates), first, last)
	for _, in := range o.Integrations {
		put(integrationsTable, in.Name, in.Team, string(in.State), in.Since, in.Until, in.Detail)
		for _, a := range in.Answers {
			if len(a.WithheldFields) > 0 {
				put(withheldTable, in.Name, string(a.EventID), string(a.EventType), a.withheldJSON(), a.Since)
			}
			if a.Kind == schemas.Parked {
				put(parkedTable, in.Name, string(a.EventID), string(a.EventType), string(a.Reason), a.Detail, a.Since, a.Until)
			}
		}
	}
	for _, op := range o.Operations {
		put(operationsTable, op.Name, string(op.State), op.Begun, op.Since, op.Until, op.Void, op.lacks(&Order{}), op.Page)
		for i := range op.Steps {
			if n := &op.Steps[i]; n.State == StateLate || n.State == StateMissing {
				put(overdueTable, op.Name, n.What, n.integration(), string(n.State), n.Since, op.Page)
			}
		}
	}
	if o.Money != nil {
		for _, m := range o.Money.Movements {
			put(movementsTable, string(m.Kind), string(m.System), m.Object, m.Currency, m.Amount.String(), tenThousandths(m.Amount), m.At.In(zone).Format(time.DateOnly), m.At, m.Reference, string(m.EventID))
		}
		for _, d := range o.Money.Differences {
			put(differencesTable, d.Name, d.Currency, d.AmountA.String(), d.AmountB.String(), d.Difference.Difference.String(), string(d.Silent), d.Since, d.Deadline, d.Overdue, d.Page)
		}
	}
	for _, d := range o.Disagreements {
		put(disagreementsTable, string(d.Field), d.Object, string(d.System), d.Since, string(d.Owner), d.OwnerValue, d.Value, d.Deadline, d.Closed, d.Overdue, d.Page,
			d.State, nullTime(d.OwnerTime), nullTime(d.OwnerSeenAt), nullTime(d.Time), nullTime(d.SeenAt), int64(d.Flaps), d.Who, d.Why, d.WaivedUntil, string(d.Accepted), d.AcceptedValue, d.AcceptedAt, d.AcceptedBy)
	}
	for _, f := range o.Fields {
		if len(f.Said) < 2 {
			continue // nobody to compare with
		}
		for _, s := range f.Said {
			put(observationsTable, string(f.Field), f.Object, string(s.System), string(f.Owner), s.Value, s.SourceVersion, s.Time, s.SeenAt, string(s.EventID))
		}
	}
	for _, r := range refs {
		l := record{lookupsTable, []any{r.kind, sqlText(r.value), topic, key}}
		out[l.name()] = l
	}
	return out
}

// reach is when the first and the last event came, by our clock; nil for none.
func (o *Order) reach() (first, last *time.Time) {
	for i := range o.Events {
		at := &o.Events[i].IngestedAt
		if at.IsZero() {
			continue
		}
		if first == nil {
			first = at
		}
		last = at
	}
	return first, last
}

// due is the next moment at which time alone changes the answer; nil for never.
func (o *Order) due() *time.Time {
	var out *time.Time
	for _, in := range o.Integrations {
		for i := range in.Answers {
			out = earlier(out, in.Answers[i].Until)
		}
	}
	for _, op := range o.Operations {
		for i := range op.Steps {
			out = earlier(out, op.Steps[i].Until)
		}
	}
	if o.Money != nil {
		for i := range o.Money.Differences {
			if d := &o.Money.Differences[i]; !d.Overdue {
				out = earlier(out, &d.Deadline)
			}
		}
	}
	for i := range o.Disagreements {
		if d := &o.Disagreements[i]; d.Closed == nil && !d.Overdue {
			out = earlier(out, &d.Deadline)
		}
		if d := &o.Disagreements[i]; d.State == DisagreementWaived {
			out = earlier(out, d.WaivedUntil)
		}
	}
	return out
}

// tenThousandths is an amount as a whole number, which databases add without rounding; nil where it does not fit.
func tenThousandths(amount decimal.Decimal) *int64 {
	n := amount.Shift(4)
	if !n.IsInteger() || n.Abs().GreaterThan(decimal.NewFromInt(math.MaxInt64)) {
		return nil
	}
	v := n.IntPart()
	return &v
}

// sqlText is a text that every database takes: what is no UTF-8, and NUL, is written as Go writes it in quotes.
func sqlText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) {
		return s
	}
	return strconv.Quote(s)
}
