package mcp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/mcp"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// texts is what outside systems wrote of an order.
type texts struct{ note, name, title, detail string }

// world is what a backend reads: one order of the shipped topology, parked in the warehouse. calls is what was asked of it.
type world struct {
	topo *topology.Topology
	said texts

	mu      sync.Mutex
	calls   []string
	parked  []*schemas.ParkedRecord
	decided []string
	broken  error // of the next decision
}

var shipped = sync.OnceValues(func() (*topology.Topology, error) {
	return topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
})

func newWorld(t testing.TB, said texts) *world {
	t.Helper()
	topo, err := shipped()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{topo: topo, said: said}
	for i, in := range []string{"warehouse", "tax"} {
		w.parked = append(w.parked, &schemas.ParkedRecord{Integration: in, EventID: "e1", EventType: schemas.OrderCreated, Key: "1001", Topic: "orders", Partition: 3, Offset: 7, Value: []byte("bytes"),
			Headers: map[string]string{"ce_id": "e1"}, Reason: []schemas.Reason{schemas.ReasonBusinessNo, schemas.ReasonContract}[i], Detail: "answered 422: " + said.detail, Since: noon, Command: -1,
			Attempts: []schemas.Attempt{{At: noon, TookMS: 12, Status: 422, Class: "rejected", Detail: said.detail}}})
	}
	return w
}

// fold is a key of the world as the view folds it.
func (w *world) fold(topic string) *reconcile.Fold {
	total, _ := schemas.NewMoney("20.00", "EUR")
	other, _ := schemas.NewMoney("25.00", "EUR")
	event := func(id, system string, et schemas.EventType) *schemas.Event {
		return &schemas.Event{ID: schemas.EventID(id), Type: et, System: schemas.System(system), Source: "/test", Subject: "1001", Time: noon, IngestedAt: noon}
	}
	f := reconcile.NewFold(w.topo, topic, map[string]string{"orders": "1001", "customers": "c1"}[topic])
	if topic == schemas.TopicCustomers {
		c := event("c", "crm", schemas.CustomerUpdated)
		c.Customer = &schemas.Customer{ID: "c1", FirstName: w.said.name, Email: "jane@example.com", Segment: "vip"}
		f.Event(c, reconcile.Position{})
		return f
	}
	shop, erp := event("e1", "shop", schemas.OrderCreated), event("e2", "erp", schemas.OrderUpdated)
	shop.Order = &schemas.Order{ID: "1001", CustomerID: "c1", Email: "jane@example.com", Note: w.said.note, Total: total, Lines: []schemas.Line{{ID: "1", SKU: "MUG", Title: w.said.title, Quantity: 1}}}
	erp.Order = &schemas.Order{ID: "1001", Total: other}
	f.Event(shop, reconcile.Position{})
	f.Event(erp, reconcile.Position{Offset: 1})
	for _, p := range w.parked {
		f.Outcome(&schemas.Outcome{Integration: p.Integration, EventID: "e1", EventType: schemas.OrderCreated, Kind: schemas.Parked, Reason: p.Reason, Detail: p.Detail, At: noon, IngestedAt: noon, Attempts: p.Attempts}, reconcile.Position{})
	}
	return f
}

func (w *world) called(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

func (w *world) backend() mcp.Backend {
	return mcp.Backend{
		Order: func(_ context.Context, key string) (*reconcile.Order, error) {
			w.called("order %s", key)
			if key != "1001" {
				return nil, reconcile.ErrNotFound
			}
			return w.fold("orders").Order(noon.Add(time.Hour)), nil
		},
		Find: func(_ context.Context, name, value string) ([]reconcile.Listed, error) {
			w.called("find %s %s", name, value)
			return []reconcile.Listed{{Topic: "orders", Key: "1001", State: reconcile.StateParked}}, nil
		},
		Facts: func(_ context.Context, key string, q reconcile.FactsQuery) (*reconcile.Facts, error) {
			w.called("facts %s %+v", key, q)
			at := noon.Add(time.Hour)
			return reconcile.FactsOf(w.topo, reconcile.Held{Order: w.fold("orders"), Customer: w.fold("customers"), KnownAt: at, AskedAt: at}, q)
		},
		Disagreements: func(_ context.Context, all bool) ([]reconcile.Disagreement, int, error) {
			w.called("disagreements %v", all)
			list := w.fold("orders").Disagreements(noon.Add(time.Hour))
			return list, len(list), nil
		},
		Parked: func(_ context.Context, f mcp.Filter) ([]*schemas.ParkedRecord, error) {
			w.called("parked %+v", f)
			w.mu.Lock()
			defer w.mu.Unlock()
			var out []*schemas.ParkedRecord
			for _, p := range w.parked {
				if (f.Integration == "" || f.Integration == p.Integration) && (f.Order == "" || f.Order == p.Key) && (f.Event == "" || f.Event == string(p.EventID)) && (f.Reason == "" || f.Reason == string(p.Reason)) {
					out = append(out, p)
				}
			}
			return out, nil
		},
		Status: func(context.Context) ([]reconcile.Status, error) {
			w.called("status")
			return []reconcile.Status{{Integration: "warehouse", State: "running", CircuitWhy: w.said.detail}}, nil
		},
		Decide: func(_ context.Context, events []*schemas.ParkedRecord, kind schemas.CommandKind, who, why string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, p := range events {
				w.decided = append(w.decided, fmt.Sprintf("%s %s %s by %s: %s", kind, p.Integration, p.EventID, who, why))
			}
			return w.broken
		},
	}
}

// session is a client of a server in memory.
type session struct {
	*testing.T
	*sdk.ClientSession
}

func connect(t *testing.T, s *sdk.Server) session {
	t.Helper()
	here, there := sdk.NewInMemoryTransports()
	server, err := s.Connect(t.Context(), there, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, nil).Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close() // ends both
		_ = server.Wait()
	})
	return session{t, client}
}

func (s session) tools() []string {
	s.Helper()
	list, err := s.ListTools(s.Context(), nil)
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, x := range list.Tools {
		out = append(out, x.Name)
	}
	slices.Sort(out)
	return out
}

// answer is a tool's, with the bytes that Seam itself says.
type answer struct {
	Notice string
	Seam   json.RawMessage
	Data   json.RawMessage
	Cut    bool
	all    string
}

// call gives a tool's answer, or its error as text.
func (s session) call(name string, args map[string]any) (answer, string) {
	s.Helper()
	res, err := s.CallTool(s.Context(), &sdk.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		return answer{}, err.Error()
	}
	text := res.Content[0].(*sdk.TextContent).Text
	if res.IsError {
		return answer{}, text
	}
	b, err := json.Marshal(res.StructuredContent)
	if err != nil {
		s.Fatal(err)
	}
	a := answer{all: string(b)}
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		s.Fatal(err)
	}
	return a, ""
}

func (s session) must(name string, args map[string]any) answer {
	s.Helper()
	a, fault := s.call(name, args)
	if fault != "" {
		s.Fatalf("%s: %s", name, fault)
	}
	return a
}

func (s session) refused(name string, args map[string]any, want string) {
	s.Helper()
	if a, fault := s.call(name, args); !strings.Contains(fault, want) {
		s.Errorf("%s %v: %q %s, want %q", name, args, fault, a.all, want)
	}
}
