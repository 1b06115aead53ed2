package reconcile

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/binaryandbeyond/seam/schemas"
)

// Order is the answer for a key: an order ID, or a customer ID or location/item that no order has. With "customers:" or
// "inventory:" before it, it is of that topic. ErrNotFound when nothing is known of it.
func (v *View) Order(ctx context.Context, key string) (*Order, error) {
	fresh := v.Freshness()
	for _, s := range subjects(key) {
		f, err := v.fold(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("order %s: %w", key, err)
		}
		if f != nil {
			o := f.Order(v.horizon())
			o.Freshness = &fresh
			return o, nil
		}
	}
	return nil, fmt.Errorf("order %s: %w", key, ErrNotFound)
}

// fold reads one fold; nil when the view does not have it.
func (v *View) fold(ctx context.Context, s subject) (*Fold, error) {
	var facts []byte
	err := v.db.QueryRowContext(ctx, v.db.bind("SELECT facts FROM folds WHERE topic = ? AND key = ?"), sqlText(s.topic), sqlText(s.key)).Scan(&facts)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f := newFold(v.topo, v.acts, s.topic, s.key)
	return f, f.unpack(facts)
}

// Listed is an order in a list.
type Listed struct {
	Topic   string     `json:"topic"`
	Key     string     `json:"key"`
	State   State      `json:"state"`
	Since   *time.Time `json:"since,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
	Verdict string     `json:"verdict"`
	Pages   []string   `json:"pages"`
}

const listed = "SELECT o.topic, o.key, o.state, o.since, o.until, o.verdict, o.pages FROM orders o "

// Orders lists keys of the orders topic that are in one of some states, or all when none is given, those that are in it for
// longest first; limit of them at most. all is how many there are.
func (v *View) Orders(ctx context.Context, limit int, states ...State) (list []Listed, all int, err error) {
	if len(states) == 0 {
		states = States
	}
	args := []any{schemas.TopicOrders}
	for _, s := range states {
		args = append(args, string(s))
	}
	where := "WHERE o.topic = ? AND o.state IN (?" + strings.Repeat(", ?", len(states)-1) + ")"
	if err := v.db.QueryRowContext(ctx, v.db.bind("SELECT count(*) FROM orders o "+where), args...).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	list, err = v.list(ctx, listed+where+" ORDER BY o.since, o.key LIMIT ?", append(args, limit)...)
	return list, all, err
}

// Paged lists the orders that somebody is asked about: late, missing, parked or unknown anywhere, or overdue in a field or a
// sum; limit of them at most. all is how many there are.
func (v *View) Paged(ctx context.Context, limit int) (list []Listed, all int, err error) {
	const where = "WHERE o.topic = ? AND o.pages <> '[]'"
	if err := v.db.QueryRowContext(ctx, v.db.bind("SELECT count(*) FROM orders o "+where), schemas.TopicOrders).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	list, err = v.list(ctx, listed+where+" ORDER BY o.since, o.key LIMIT ?", schemas.TopicOrders, limit)
	return list, all, err
}

// Names is by what Find finds: customer (an id), email (an address, or its EmailHash), number (what the customer reads) and
// payment (the PSP's reference, or the shop's id of the payment).
var Names = []string{"customer", "email", "number", "payment"}

// ErrUnknownName is the error for a kind that is none of Names.
var ErrUnknownName = errors.New("orders are not found by that")

// Find lists the orders and customers that have a name of one of Names, the newest first; limit of them at most.
func (v *View) Find(ctx context.Context, kind, value string, limit int) ([]Listed, error) {
	if !slices.Contains(Names, kind) {
		return nil, fmt.Errorf("%w: %q is none of %s", ErrUnknownName, kind, strings.Join(Names, ", "))
	}
	if kind == "email" && strings.Contains(value, "@") {
		value = EmailHash(value)
	}
	return v.list(ctx, listed+"JOIN lookups l ON l.topic = o.topic AND l.key = o.key WHERE l.kind = ? AND l.value = ? ORDER BY o.last_at DESC, o.key LIMIT ?", kind, sqlText(value), limit)
}

func (v *View) list(ctx context.Context, stmt string, args ...any) ([]Listed, error) {
	rows, err := v.db.QueryContext(ctx, v.db.bind(stmt), args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	defer rows.Close()
	out := []Listed{}
	for rows.Next() {
		var l Listed
		var since, until moment
		var pages string
		if err := rows.Scan(&l.Topic, &l.Key, &l.State, &since, &until, &l.Verdict, &pages); err != nil {
			return nil, fmt.Errorf("list orders: %w", err)
		}
		if err := json.Unmarshal([]byte(pages), &l.Pages); err != nil {
			return nil, fmt.Errorf("list orders: pages of %s: %w", l.Key, err)
		}
		l.Since, l.Until = since.pointer(), until.pointer()
		out = append(out, l)
	}
	return out, rows.Err()
}

// Disagreements is what systems differ about over all keys, limit of them at most; with open false also what they differed
// about before. Open ones come first, then the oldest. all is how many there are.
func (v *View) Disagreements(ctx context.Context, open bool, limit int) (list []Disagreement, all int, err error) {
	where := ""
	if open {
		where = " WHERE closed IS NULL"
	}
	if err := v.db.QueryRowContext(ctx, "SELECT count(*) FROM disagreements"+where).Scan(&all); err != nil {
		return nil, 0, fmt.Errorf("count disagreements: %w", err)
	}
	rows, err := v.db.QueryContext(ctx, v.db.bind("SELECT topic, key, field, object, owner, owner_value, system, value, since, deadline, closed, overdue, page, state, owner_time, owner_seen_at, time, seen_at, flaps, who, why, waived_until, accepted, accepted_value, accepted_at, accepted_by FROM disagreements"+where+
		" ORDER BY CASE WHEN closed IS NULL THEN 0 ELSE 1 END, since, key, field, object, system LIMIT ?"), limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list disagreements: %w", err)
	}
	defer rows.Close()
	list = []Disagreement{}
	for rows.Next() {
		var d Disagreement
		var since, deadline, closed, ownerTime, ownerSeen, said, seen, waived, accepted moment
		if err := rows.Scan(&d.Topic, &d.Key, &d.Field, &d.Object, &d.Owner, &d.OwnerValue, &d.System, &d.Value, &since, &deadline, &closed, &d.Overdue, &d.Page, &d.State,
			&ownerTime, &ownerSeen, &said, &seen, &d.Flaps, &d.Who, &d.Why, &waived, &d.Accepted, &d.AcceptedValue, &accepted, &d.AcceptedBy); err != nil {
			return nil, 0, fmt.Errorf("list disagreements: %w", err)
		}
		d.Since, d.Deadline, d.Closed, d.WaivedUntil = since.Time, deadline.Time, closed.pointer(), waived.pointer()
		d.AcceptedAt = accepted.pointer()
		d.OwnerTime, d.OwnerSeenAt, d.Time, d.SeenAt = ownerTime.Time, ownerSeen.Time, said.Time, seen.Time
		end := v.horizon()
		if d.Closed != nil {
			end = *d.Closed
		}
		d.DurationMS = max(0, end.Sub(d.Since).Milliseconds())
		list = append(list, d)
	}
	return list, all, rows.Err()
}

// Summary counts what the view holds.
func (v *View) Summary(ctx context.Context) (Summary, error) {
	s := Summary{Outcomes: map[string]map[schemas.Kind]int{}, Parked: map[schemas.Reason]int{}, Freshness: v.Freshness()}
	err := v.tally(ctx, "SELECT what, name, n FROM counts UNION ALL SELECT 'parked', reason, count(*) FROM parked GROUP BY reason", func(what, name string, n int) {
		switch what {
		case countKeys:
			switch name {
			case schemas.TopicOrders:
				s.Orders = n
			case schemas.TopicCustomers:
				s.Customers = n
			case schemas.TopicInventory:
				s.Items = n
			}
		case countEvents:
			s.Events = n
		case countDuplicates:
			s.Duplicates = n
		case countUndecodable:
			s.Undecodable = n
		case countOutcomes:
			in, kind, _ := strings.Cut(name, "/")
			if s.Outcomes[in] == nil {
				s.Outcomes[in] = map[schemas.Kind]int{}
			}
			s.Outcomes[in][schemas.Kind(kind)] = n
		case "parked":
			s.Parked[schemas.Reason(name)] = n
		}
	})
	return s, err
}

func (v *View) tally(ctx context.Context, stmt string, do func(what, name string, n int)) error {
	rows, err := v.db.QueryContext(ctx, stmt)
	if err != nil {
		return fmt.Errorf("count: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var what, name string
		var n int
		if err := rows.Scan(&what, &name, &n); err != nil {
			return fmt.Errorf("count: %w", err)
		}
		do(what, name, n)
	}
	return rows.Err()
}

// Freshness is how far behind the topics the view is.
func (v *View) Freshness() Freshness {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.measure()
}

// horizon is the moment up to which everything that came is known: silence until then is silence, after it nobody can know.
func (v *View) horizon() time.Time { return v.Freshness().CaughtUpAt }
