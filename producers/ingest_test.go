package producers

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func TestIngest(t *testing.T) {
	t.Parallel()
	r := newRig(t, webhookSource(topology.Shopify))
	dir := t.TempDir()
	for name, content := range map[string]string{
		"orders__create.json": `{"id":1}`, "b/refund.json": `{"id":5,"order_id":1}`, "b/refund.headers.json": `{"X-Shopify-Topic":"refunds/create","X-Shopify-Webhook-Id":"w-9"}`,
		"products__update.json": `{"id":1}`, "notes.txt": "no",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewServer(r.edge.Handler())
	defer server.Close()
	cfg := IngestConfig{Source: r.topo.Source("shopify"), Dir: dir, Handler: r.edge.Handler()}
	for range 2 { // in this process, then over HTTP: the same deliveries
		rep, err := Ingest(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Accepted != 2 || rep.Quarantined != 1 || rep.Refused != 0 || len(rep.Files) != 3 {
			t.Errorf("report: %+v", rep)
		}
		cfg.Handler, cfg.URL = nil, server.URL
	}
	ids := map[schemas.EventID]string{}
	for _, ev := range r.events(schemas.TopicOrders) {
		ids[ev.ID] = ev.DeliveryID
	}
	if len(ids) != 2 {
		t.Errorf("events: %v", ids)
	}
	r.topo.Sources[0].MaxBody = 3
	rep, err := Ingest(t.Context(), cfg)
	if err != nil || rep.Refused != 3 || rep.Files[0].Status != 413 || !strings.Contains(rep.Files[0].Reason, "too large") {
		t.Errorf("refused: %+v %v", rep, err)
	}
}

func TestIngestWrongUse(t *testing.T) {
	t.Parallel()
	files, noSecret, shop := topology.Source{Name: "erp", Platform: topology.Files}, webhookSource(topology.Shopify), webhookSource(topology.Shopify)
	noSecret.Secrets = nil
	for _, tt := range []struct {
		cfg  IngestConfig
		want string
	}{
		{IngestConfig{Source: &files}, "ingest: source erp is of platform files, which takes no webhooks: put its files into its folder"},
		{IngestConfig{Source: &noSecret}, "ingest: source shopify has no secret to sign with"},
		{IngestConfig{Source: &shop}, "ingest: name the edge to send to"},
		{IngestConfig{Source: &shop, URL: "http://127.0.0.1:1", Dir: "testdata/none"}, "ingest: lstat testdata/none: no such file or directory"},
	} {
		if _, err := Ingest(t.Context(), tt.cfg); err == nil || err.Error() != tt.want {
			t.Errorf("err = %v, want %s", err, tt.want)
		}
	}
}
