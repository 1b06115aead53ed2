package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/consumers/reconcile"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// TestExportDay exports yesterday, exports it again, and corrects it when a payment is told late; the folder tells finance
// the same as seam totals and seam order do of the same database.
func TestExportDay(t *testing.T) {
	k := topologytest.Cluster(t)
	t.Setenv("SEAM_PREFIX", k.Prefix)
	topo, err := topology.LoadForReading(topology.Default(), os.LookupEnv)
	if err != nil {
		t.Fatal(err)
	}
	client, registry := k.Client(t, kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil))), k.RegistryClient(t)
	if _, err := topology.Ensure(t.Context(), topo, client, registry); err != nil {
		t.Fatal(err)
	}
	serde := schemas.NewSerde(registry)
	yesterday := time.Now().UTC().AddDate(0, 0, -1).Truncate(24 * time.Hour).Add(12 * time.Hour)
	day := yesterday.Format(time.DateOnly)
	capture := func(order, amount, currency string, system schemas.System) {
		t.Helper()
		m, err := schemas.NewMoney(amount, currency)
		if err != nil {
			t.Fatal(err)
		}
		ev := &schemas.Event{ID: schemas.EventID(order + "-" + string(system)), Type: schemas.PaymentCaptured, Source: "/test", System: system, Subject: order, Time: yesterday, IngestedAt: yesterday.Add(time.Second),
			DeliveryID: order, Payment: &schemas.Payment{ID: "pay-" + order, Reference: "ref-" + order, Kind: "capture", Status: "success", Amount: m}}
		topic := topo.TopicName(schemas.TopicOrders)
		value, err := serde.EncodeEvent(t.Context(), topic+"-value", ev)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(order), Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	capture("1001", "12.50", "EUR", "shop")
	capture("1001", "12.50", "EUR", "psp")
	capture("1002", "900719925474.0993", "CLF", "shop")
	database, to := filepath.Join(t.TempDir(), "view.db"), t.TempDir()
	view, err := reconcile.OpenView(t.Context(), reconcile.ViewConfig{Database: database, Topology: topo})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- reconcile.Follow(ctx, reconcile.FollowConfig{Options: []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, Serde: serde, Topology: topo, View: view})
	}()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, view.Close()); err != nil {
			t.Error(err)
		}
	})
	caughtUp := func() {
		t.Helper()
		if err := view.CaughtUp(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := view.Judge(t.Context()); err != nil { // a transaction: the database is told how far the view is
			t.Fatal(err)
		}
	}
	seam := func(code int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if got := run(append(args, "--view", database), &out, &errs); got != code {
			t.Fatalf("seam %v: exit %d, want %d: %s%s", args, got, code, out.String(), errs.String())
		}
		return out.String() + errs.String()
	}
	caughtUp()
	for _, want := range []string{"wrote v1", "unchanged v1"} {
		if out := seam(0, "export", "--to", to); out != fmt.Sprintf("%s: %s\n", day, want) {
			t.Errorf("%q, want %q", out, want)
		}
	}
	if out := seam(1, "export", "--to", to, "--day", time.Now().UTC().AddDate(0, 0, 1).Format(time.DateOnly)); !strings.Contains(out, "known") {
		t.Errorf("a day that is not over: %s", out)
	}
	capture("1001", "12.49", "EUR", "erp") // nobody compares it, and it moved all the same
	capture("1002", "900719925474.0992", "CLF", "psp")
	caughtUp()
	if out := seam(0, "export", "--to", to); !strings.Contains(out, "wrote v2, which corrects v1") {
		t.Errorf("after a late payment: %q", out)
	}
	files, err := filepath.Glob(filepath.Join(to, day, "v2", "differences-*.csv"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	csv, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(csv), `"1002","captured","CLF",900719925474.0993,900719925474.0992,0.0001,`) {
		t.Errorf("differences:\n%s", csv)
	}
	if out := seam(1, "totals", "--day", day); !strings.Contains(out, "1002: 900719925474.0993 against 900719925474.0992: they differ about it") {
		t.Errorf("totals:\n%s", out)
	}
	if out := seam(0, "order", "--payment", "ref-1001"); !strings.Contains(out, "orders  1001") {
		t.Errorf("by payment:\n%s", out)
	}
}
