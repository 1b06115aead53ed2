package spec_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/sr"
	"go.yaml.in/yaml/v3"

	"net/http/httptest"

	"github.com/binaryandbeyond/seam/contract/spec"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

func shipped(t *testing.T) *topology.Topology {
	t.Helper()
	topo, err := topology.LoadForReading(topology.Default(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

// compile makes a schema ready, held to its dialect's meta-schema.
func compile(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:test", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("urn:test")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAsyncAPI holds the document, in both forms, to the schema of AsyncAPI's makers (testdata/asyncapi).
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	official, err := os.ReadFile("testdata/asyncapi/3.0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	schema := compile(t, official)
	topo := shipped(t)
	text, err := spec.AsyncAPI(topo, "1.2.3", true)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Fatal(err)
	}
	refs(t, doc, doc)
	// What is wrong is seen: the schema is no empty one.
	broken, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(string(text), `"action": "send"`, `"action": "shout"`, 1)))
	if err != nil || schema.Validate(broken) == nil {
		t.Errorf("an operation that shouts is taken for valid (%v)", err)
	}

	asYAML, err := spec.AsyncAPI(topo, "1.2.3", false)
	if err != nil {
		t.Fatal(err)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal(asYAML, &fromYAML); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(fromJSON, fromYAML); d != "" {
		t.Errorf("(-JSON +YAML):\n%s", d)
	}
	if !bytes.HasPrefix(asYAML, []byte("asyncapi: 3.0.0\ninfo:\n")) {
		t.Errorf("it begins with %.60s", asYAML)
	}
	orders := fromJSON.(map[string]any)["channels"].(map[string]any)["orders"].(map[string]any)["bindings"]
	want := map[string]any{"kafka": map[string]any{"topic": "orders", "partitions": 8., "bindingVersion": "0.5.0",
		"topicConfiguration": map[string]any{"cleanup.policy": []any{"delete"}, "retention.ms": 7776000000.}}}
	if d := cmp.Diff(want, orders); d != "" {
		t.Errorf("bindings of orders (-want +got):\n%s", d)
	}
}

// refs checks that every reference within the document leads somewhere.
func refs(t *testing.T, root, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			at := root
			for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, item := range v {
			refs(t, root, item)
		}
	case []any:
		for _, item := range v {
			refs(t, root, item)
		}
	}
}

// TestJSONSchemas: each is a JSON Schema, takes what a reader decoded, and refuses what is otherwise.
func TestJSONSchemas(t *testing.T) {
	t.Parallel()
	registry := httptest.NewServer(schemas.NewMemoryRegistry())
	t.Cleanup(registry.Close)
	client, err := sr.NewClient(sr.URLs(registry.URL))
	if err != nil {
		t.Fatal(err)
	}
	serde, ctx := schemas.NewSerde(client), t.Context()
	noon := time.Date(2026, 11, 2, 12, 0, 0, 1000, time.UTC)
	total, err := schemas.NewMoney("-12.5000", "EUR")
	if err != nil {
		t.Fatal(err)
	}
	event := schemas.Event{ID: "e", Type: schemas.OrderCreated, Source: "/s", System: "shop", Subject: "1", Time: noon, IngestedAt: noon}
	order, customer, stock := event, event, event
	order.Order = &schemas.Order{ID: "1", Total: total, Lines: []schemas.Line{{ID: "l", Quantity: 2}}}
	customer.Type, customer.Customer = schemas.CustomerUpdated, &schemas.Customer{ID: "1", Email: "a@b.example"}
	stock.Type, stock.Inventory = schemas.InventoryLevelSet, &schemas.Inventory{ItemID: "i"}
	outcome := schemas.Outcome{Integration: "erp", EventID: "e", EventType: schemas.OrderCreated, OrderID: "1", Kind: schemas.Delivered, EventTime: noon, At: noon, Topic: "orders"}
	values := map[string]func() ([]byte, error){
		"order_event":     func() ([]byte, error) { return serde.EncodeEvent(ctx, "s", &order) },
		"customer_event":  func() ([]byte, error) { return serde.EncodeEvent(ctx, "c", &customer) },
		"inventory_event": func() ([]byte, error) { return serde.EncodeEvent(ctx, "i", &stock) },
		"outcome":         func() ([]byte, error) { return serde.EncodeOutcome(ctx, "o", &outcome) },
		"disagreement": func() ([]byte, error) {
			return serde.EncodeDisagreement(ctx, "d", &schemas.Disagreement{Topic: "orders", Key: "1", Field: "order.total", System: "erp", State: "opened", Page: "finance", At: noon})
		},
	}
	for _, name := range spec.Names() {
		text, err := spec.JSONSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		schema := compile(t, text)
		b, err := values[name]()
		if err != nil {
			t.Fatal(err)
		}
		_, native, err := serde.DecodeNative(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := json.Marshal(native)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(decoded))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s refuses what was decoded: %v", name, err)
		}
		for field, wrong := range map[string]any{"time": "noon", "order": map[string]any{"total": map[string]any{"amount": "12.34567", "currency": "EUR"}}, "event_id": 7, "at": false, "customer": "me", "inventory": "none"} {
			m := doc.(map[string]any)
			before, there := m[field]
			if !there {
				continue
			}
			if m[field] = wrong; schema.Validate(doc) == nil {
				t.Errorf("%s takes %v as %s", name, wrong, field)
			}
			m[field] = before
		}
	}
	if _, err := spec.JSONSchema("sealing_key"); err == nil {
		t.Error("the keys of personal data are not for subscribers")
	}
}

// TestPersonalIsMarked: as many marks in the JSON Schemas as in Avro's.
func TestPersonalIsMarked(t *testing.T) {
	t.Parallel()
	for _, name := range spec.Names() {
		text, err := spec.JSONSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Count(string(text), `"x-pii": true`), strings.Count(schemas.SchemaText(name), `"pii": true`); got != want {
			t.Errorf("%s: %d marks of %d", name, got, want)
		}
	}
	if !slices.Contains(spec.Names(), "order_event") {
		t.Errorf("names = %v", spec.Names())
	}
}
