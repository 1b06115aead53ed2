package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/drills/sim"
	"github.com/binaryandbeyond/seam/producers"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/schemas/sealing"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestErasedEverywhere: a customer buys, an order of theirs is parked, a webhook that names them is quarantined; then the shop
// sends customers/redact. From then on nothing that was theirs stands anywhere, and everybody else's data is as it was.
func TestErasedEverywhere(t *testing.T) {
	t.Parallel()
	w := newWhole(t)
	w.world.System("warehouse").Fault(sim.Status("POST", "/v1/fulfillments", 422)) // parked for a person
	shop := w.world.Shop()
	one, other := shop.Place(sim.Choices{Note: "Mind the wolfhound"}), shop.Place(sim.Choices{Note: "Ring twice"})
	for range 20 { // others of the same customer are erased too, though the webhook names no order
		if other.Customer.ID != one.Customer.ID {
			break
		}
		other = shop.Place(sim.Choices{Note: "Ring twice"})
	}
	bad := w.push("orders__create", fmt.Sprintf(`{"id": {}, "email": %q, "customer": {"id": %s, "first_name": %q}}`, one.Customer.Email, one.Customer.ID, one.Customer.First))
	if bad.Quarantined != 1 {
		t.Fatalf("%+v", bad)
	}
	w.settled(8)
	w.caughtUp()

	keys := w.keys()
	texts := w.personal(keys, one.ID, one.Customer.ID)
	if len(texts) < 8 {
		t.Fatalf("of %s only %v is personal: the test would prove little", one.Customer.Email, texts)
	}
	for _, sure := range []string{one.Customer.Email, one.Customer.Last, one.Customer.Phone, "Mind the wolfhound"} {
		if !texts[sure] {
			t.Errorf("%q is not among what can be read before", sure)
		}
	}
	if shown := w.disclosed(keys, one.ID); shown["order.email"] != one.Customer.Email || shown["order.note"] != "Mind the wolfhound" {
		t.Errorf("who may read the keys is shown %v", shown)
	}
	others := w.personal(keys, other.ID, other.Customer.ID)
	hash := reconcile.EmailHash(one.Customer.Email)
	w.viewHas(hash, true)

	if r := w.push("customers__redact", fmt.Sprintf(`{"shop_id": 954889, "customer": {"id": %s, "email": %q, "phone": %q}, "orders_to_redact": []}`, one.Customer.ID, one.Customer.Email, one.Customer.Phone)); r.Accepted != 1 {
		t.Fatalf("%+v", r)
	}
	topologytest.Eventually(t, "the keys are destroyed", func() error {
		for _, subject := range []string{schemas.SealSubject(schemas.TopicOrders, one.ID), schemas.SealSubject(schemas.TopicCustomers, one.Customer.ID), schemas.QuarantineSubject(bad.Files[0].Quarantined)} {
			if !keys.Erased(subject) {
				return fmt.Errorf("%s is not erased", subject)
			}
		}
		return nil
	})
	topologytest.Eventually(t, "the CRM forgets", func() error {
		if w.world.System("crm").Effects()[one.Customer.ID]["forget"] != 1 {
			return fmt.Errorf("%v", w.world.System("crm").Effects()[one.Customer.ID])
		}
		return nil
	})
	w.settled(9)
	w.viewHas(hash, false)
	w.stop()

	if left := w.personal(w.keys(), one.ID, one.Customer.ID); len(left) > 0 {
		t.Errorf("can still be read: %v", left)
	}
	if shown := w.disclosed(w.keys(), one.ID); len(shown) > 0 {
		t.Errorf("still shown: %v", shown)
	}
	if again := w.personal(w.keys(), other.ID, other.Customer.ID); len(again) != len(others) {
		t.Errorf("of another customer %d texts can be read, %d before", len(again), len(others))
	}
	w.viewHas(reconcile.EmailHash(other.Customer.Email), true)
	places := w.stores()
	if !places.hold(one.ID) || !places.hold(one.Customer.ID) {
		t.Error("not even the ids are found: this search finds nothing")
	}
	for text := range texts {
		if len(text) > 4 && !others[text] { // a postcode of four digits stands in many a clock; what is said of everybody, as "enabled", tells nothing of anybody
			for name, b := range places {
				if bytes.Contains(b, []byte(text)) {
					t.Errorf("%s holds %q", name, text)
				}
			}
		}
	}

	// A person releases what was parked: there is nothing left to tell.
	w.world.System("warehouse").Fault(sim.Off())
	w.start(t.Context(), w.dir)
	calls := w.world.System("warehouse").Calls()["201"]
	w.release("warehouse", one.ID)
	client := w.kafka.Client(t, kgo.ConsumeTopics(w.topo.TopicName(topology.TopicReconciliation)), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for done := false; !done; {
		client.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			o, err := w.serde.DecodeOutcome(ctx, rec.Value)
			if err != nil {
				t.Fatal(err)
			}
			done = done || o.Integration == "warehouse" && o.OrderID == one.ID && o.Kind == schemas.Withheld && o.Reason == schemas.ReasonErased
		})
		if ctx.Err() != nil {
			t.Fatal("the released event did not end as withheld, erased")
		}
	}
	if n := w.world.System("warehouse").Calls()["201"]; n != calls {
		t.Errorf("%d calls were made for it", n-calls)
	}
}

// push sends one webhook of the shop.
func (w *whole) push(topic, body string) producers.Report {
	w.Helper()
	dir := w.TempDir()
	if err := os.WriteFile(filepath.Join(dir, topic+".json"), []byte(body), 0o600); err != nil {
		w.Fatal(err)
	}
	r, err := producers.Ingest(w.Context(), producers.IngestConfig{Source: w.topo.Source("shopify"), Dir: dir, URL: w.edge})
	if err != nil {
		w.Fatal(err)
	}
	return r
}

// release has everything of an order that is parked handled again, as a person does it.
func (w *whole) release(integration, order string) {
	w.Helper()
	n := 0
	for _, rec := range w.records(func(topic string) bool { return topic == "parked."+integration }) {
		p, err := w.serde.DecodeParkedRecord(w.Context(), rec.Value)
		if rec.Value == nil || err != nil || p.Key != order {
			continue
		}
		topic := w.topo.TopicName(topology.TopicCommands)
		value, err := w.serde.EncodeCommand(w.Context(), topic+"-value", &schemas.Command{ID: fmt.Sprint("release ", n), Kind: schemas.Release, Integration: integration, Topic: p.Topic, Key: p.Key, EventID: p.EventID,
			Who: "test", Why: "test", At: time.Now()})
		if err != nil {
			w.Fatal(err)
		}
		client := w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err := client.ProduceSync(w.Context(), &kgo.Record{Topic: topic, Partition: rec.Partition, Key: rec.Key, Value: value}).FirstErr(); err != nil {
			w.Fatal(err)
		}
		n++
	}
	if n == 0 {
		w.Fatalf("nothing of %s is parked in %s", order, integration)
	}
}

// keys is a reader's ring.
func (w *whole) keys() *sealing.Ring {
	w.Helper()
	ring, err := sealing.Open(w.Context(), sealing.Config{Options: []kgo.Opt{kgo.SeedBrokers(w.kafka.Brokers...)}, Topic: w.topo.TopicName(topology.TopicKeys), Serde: w.serde})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(ring.Close)
	return ring
}

// records is every record of the topics whose names pass.
func (w *whole) records(pass func(topic string) bool) []*kgo.Record {
	w.Helper()
	return w.kafka.Records(w, func(topic string) bool {
		name, ours := strings.CutPrefix(topic, w.topo.Prefix)
		return ours && pass(name)
	})
}

// personal is every personal text that keys open in the events of an order and a customer, in those parked and in quarantine.
func (w *whole) personal(keys *sealing.Ring, order, customer string) map[string]bool {
	w.Helper()
	serde := schemas.NewSerde(w.kafka.RegistryClient(w))
	serde.SealWith(keys)
	out := map[string]bool{}
	of := func(value []byte) {
		ev, err := serde.DecodeEvent(w.Context(), value)
		if err != nil {
			w.Fatal(err)
		}
		for _, text := range []string{order, customer} {
			if ev.Subject == text {
				for _, p := range schemas.PersonalTexts(ev) {
					out[p] = true
				}
			}
		}
	}
	for _, rec := range w.records(func(string) bool { return true }) {
		switch topic := strings.TrimPrefix(rec.Topic, w.topo.Prefix); {
		case topic == schemas.TopicOrders || topic == schemas.TopicCustomers:
			of(rec.Value)
		case strings.HasPrefix(topic, "parked.") && rec.Value != nil:
			p, err := serde.DecodeParkedRecord(w.Context(), rec.Value)
			if err != nil {
				w.Fatal(err)
			}
			of(p.Value)
		case topic == topology.TopicQuarantine:
			q, err := serde.DecodeQuarantined(w.Context(), rec.Value)
			if err != nil {
				w.Fatal(err)
			}
			if bytes.Contains(q.Body, []byte(customer)) {
				out[string(q.Body)] = true
			}
		}
	}
	return out
}

// disclosed is what is shown of an order to those who may read the keys.
func (w *whole) disclosed(keys *sealing.Ring, order string) map[schemas.Field]string {
	w.Helper()
	serde := schemas.NewSerde(w.kafka.RegistryClient(w))
	serde.SealWith(keys)
	list, err := reconcile.Disclose(w.Context(), reconcile.ReadConfig{Options: []kgo.Opt{kgo.SeedBrokers(w.kafka.Brokers...)}, Serde: serde, Topology: w.topo}, schemas.TopicOrders, order)
	if err != nil {
		w.Fatal(err)
	}
	out := map[schemas.Field]string{}
	for _, d := range list {
		out[d.Field] = d.Value
	}
	return out
}

// viewHas holds the view to whether it knows an address.
func (w *whole) viewHas(hash string, want bool) {
	w.Helper()
	topologytest.Eventually(w, fmt.Sprintf("the view knows %s: %v", hash, want), func() error {
		if got := w.stores().view(hash); got != want {
			return fmt.Errorf("it is %v", got)
		}
		return nil
	})
}

// places is everything that is kept, by where.
type places map[string][]byte

func (p places) hold(text string) bool {
	for _, b := range p {
		if bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

func (p places) view(text string) bool {
	for name, b := range p {
		if strings.HasPrefix(name, "table ") && bytes.Contains(b, []byte(text)) {
			return true
		}
	}
	return false
}

// stores reads every topic, every file of the data folder, and every table of the view.
func (w *whole) stores() places {
	w.Helper()
	out := places{}
	for _, rec := range w.records(func(string) bool { return true }) {
		name := "topic " + rec.Topic
		out[name] = append(append(out[name], rec.Key...), rec.Value...)
		for _, h := range rec.Headers {
			out[name] = append(append(out[name], h.Key...), h.Value...)
		}
	}
	err := filepath.WalkDir(filepath.Join(w.dir, "seam"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // it is gone by now
		}
		if b, err := os.ReadFile(path); err == nil {
			out["file "+path] = b
		}
		return nil
	})
	if err != nil {
		w.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(filepath.Join(w.dir, "seam"), "view.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		w.Fatal(err)
	}
	defer db.Close()
	names, err := db.QueryContext(w.Context(), "SELECT name FROM sqlite_master WHERE type = 'table'")
	if err != nil {
		w.Fatal(err)
	}
	defer names.Close()
	for names.Next() {
		var name string
		if err := names.Scan(&name); err != nil {
			w.Fatal(err)
		}
		out["table "+name] = w.table(db, name)
	}
	if err := names.Err(); err != nil {
		w.Fatal(err)
	}
	if len(out) < 20 {
		w.Fatalf("only %d places are looked at", len(out))
	}
	return out
}

// table is all that a table holds, unpacked.
func (w *whole) table(db *sql.DB, name string) []byte {
	w.Helper()
	rows, err := db.QueryContext(w.Context(), "SELECT * FROM "+name) //nolint:gosec // a name from the catalogue
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		w.Fatal(err)
	}
	var out []byte
	for rows.Next() {
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(any)
		}
		if err := rows.Scan(cells...); err != nil {
			w.Fatal(err)
		}
		for _, c := range cells {
			switch v := (*c.(*any)).(type) {
			case []byte:
				if raw, err := s2.Decode(nil, v); err == nil {
					v = raw
				}
				out = append(out, v...)
			default:
				b, _ := json.Marshal(v)
				out = append(out, b...)
			}
		}
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return out
}
