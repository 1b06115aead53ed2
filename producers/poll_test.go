package producers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// shop answers polls: the orders updated at or after updated_at_min, oldest first, by pages.
type shop struct {
	t      *testing.T
	orders []string // JSON, by updated_at
	times  []time.Time
	asked  []string
	links  bool
}

func (s *shop) add(id int, updated time.Time, more string) {
	s.orders = append(s.orders, fmt.Sprintf(`{"id":%d,"currency":"EUR","created_at":%q,"updated_at":%q%s}`, id, noon.Add(-time.Hour).Format(time.RFC3339), updated.Format(time.RFC3339), more))
	s.times = append(s.times, updated)
}

func (s *shop) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	q := req.URL.Query()
	if req.Header.Get("X-Shopify-Access-Token") != "token" || q.Get("order") != "updated_at asc" || q.Get("limit") != "250" {
		http.Error(w, "no", http.StatusForbidden)
		return
	}
	s.asked = append(s.asked, q.Get("updated_at_min"))
	since, err := time.Parse(time.RFC3339, q.Get("updated_at_min"))
	if err != nil {
		s.t.Error(err)
	}
	from, _ := slices.BinarySearchFunc(s.times, since, time.Time.Compare)
	if s.links {
		if _, err := fmt.Sscan(q.Get("page_info"), &from); err != nil {
			from = 0 // the first page names none
		}
	}
	to := min(from+pollLimit, len(s.orders))
	if s.links && to < len(s.orders) {
		w.Header().Set("Link", fmt.Sprintf(`<https://elsewhere.example/x>; rel="previous", <http://%s/orders.json?page_info=%d&order=updated_at+asc&limit=250&updated_at_min=%s>; rel="next"`, req.Host, to, q.Get("updated_at_min")))
	}
	fmt.Fprintf(w, `{"orders":[%s]}`, strings.Join(s.orders[from:to], ","))
}

func pollRig(t *testing.T, s *shop) *rig {
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return newRig(t, webhookSource(topology.Shopify), topology.Source{
		Name: "shopify-poll", System: "poll", Platform: topology.Poll, Of: "shopify", URL: server.URL + "/orders.json", Token: "token", Overlap: topology.Duration(10 * time.Minute)})
}

func TestPollFindsWhatNeverCame(t *testing.T) {
	t.Parallel()
	s := &shop{t: t}
	r := pollRig(t, s)
	s.add(1, noon.Add(-30*time.Minute), `,"financial_status":"paid"`)
	s.add(2, noon.Add(-20*time.Minute), `,"cancelled_at":"2026-11-02T11:40:00Z","refunds":[{"id":9,"created_at":"2026-11-02T11:40:00Z","transactions":[{"status":"success","amount":"2.00"}]}],
		"fulfillments":[{"id":4,"status":"success","updated_at":"2026-11-02T11:30:00Z"}]`)
	s.add(3, noon.Add(-15*time.Minute), `,"total_price":"1.234"`)
	if err := r.edge.polls[0].ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, ev := range r.events(schemas.TopicOrders) {
		got = append(got, ev.BusinessID)
		if ev.System != "shop" {
			t.Errorf("%s is said by %s", ev.BusinessID, ev.System)
		}
	}
	slices.Sort(got)
	want := []string{
		"fulfillment.shipped/2/4/2026-11-02T11:30:00Z", "order.cancelled/2", "order.created/1", "order.created/2",
		"order.updated/1/2026-11-02T11:30:00Z", "order.updated/2/2026-11-02T11:40:00Z", "payment.captured/1/paid", "refund.succeeded/2/9",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if q := r.quarantined(); len(q) != 1 || q[0].Reason != "total_price: amount 1.234 has more decimals than EUR has (2)" || !strings.HasPrefix(string(q[0].Body), `{"id":3,`) {
		t.Errorf("quarantined: %+v", q)
	}
	// The webhook of the same state tells the same fact.
	hook := readOne(t, shopifyDelivery("orders/updated", s.orders[0]))
	if hook.BusinessID != "order.updated/1/2026-11-02T11:30:00Z" {
		t.Errorf("the webhook's business id is %s", hook.BusinessID)
	}
}

func TestPollCursorAndOverlap(t *testing.T) {
	t.Parallel()
	s := &shop{t: t}
	r := pollRig(t, s)
	s.add(1, noon.Add(-time.Hour), "")
	dir := t.TempDir()
	r.edge = r.newEdge(dir)
	ask := func() {
		t.Helper()
		if err := r.edge.polls[0].ask(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ask()
	states := func() int {
		n := 0
		for _, ev := range r.events(schemas.TopicOrders) {
			if ev.Type == schemas.OrderUpdated {
				n++
			}
		}
		return n
	}
	ask()
	r.edge = r.newEdge(dir) // another process
	ask()
	if n := states(); n != 1 {
		t.Errorf("one state was published %d times", n)
	}
	s.add(1, noon.Add(-time.Minute), "")
	ask()
	if n := states(); n != 2 {
		t.Errorf("%d states, want 2", n)
	}
	first, cursor := noon.Add(-firstLook-10*time.Minute), noon.Add(-70*time.Minute)
	want := []string{first.Format(time.RFC3339), cursor.Format(time.RFC3339), cursor.Format(time.RFC3339), cursor.Format(time.RFC3339)}
	if d := cmp.Diff(want, s.asked); d != "" {
		t.Errorf("asked since (-want +got):\n%s", d)
	}
}

func TestPollPages(t *testing.T) {
	t.Parallel()
	for _, links := range []bool{false, true} {
		t.Run(fmt.Sprintf("links=%v", links), func(t *testing.T) {
			t.Parallel()
			s := &shop{t: t, links: links}
			r := pollRig(t, s)
			const orders = 2*pollLimit + 10
			for i := range orders {
				s.add(i, noon.Add(time.Duration(i-1000)*time.Second), "")
			}
			if err := r.edge.polls[0].ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for _, ev := range r.events(schemas.TopicOrders) {
				ids[ev.Subject] = true
			}
			if len(ids) != orders {
				t.Errorf("%d orders of %d; asked %v", len(ids), orders, s.asked)
			}
		})
	}
}

func TestPollFaults(t *testing.T) {
	t.Parallel()
	same := &shop{t: t}
	for i := range pollLimit + 1 {
		same.add(i, noon.Add(-time.Minute), "")
	}
	r := pollRig(t, same)
	err := r.edge.polls[0].ask(t.Context())
	if err == nil || !strings.Contains(err.Error(), "orders share the time") {
		t.Errorf("err = %v", err)
	}
	refusing := pollRig(t, &shop{t: t})
	refusing.topo.Sources[1].Token = "expired"
	if err := refusing.edge.polls[0].ask(t.Context()); err == nil || !strings.HasSuffix(err.Error(), "answered 403 Forbidden") {
		t.Errorf("err = %v", err)
	}
}
