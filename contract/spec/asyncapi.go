package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// channel is one topic that subscribers read.
type channel struct {
	topic, schema, message string
	key, title             string
}

// channels are the topics that others may build on; ledgers, parked records, keys and the like are Seam's own.
var channels = []channel{
	{schemas.TopicOrders, "order_event", "orderEvent", "Order id.", "What happened to orders"},
	{schemas.TopicCustomers, "customer_event", "customerEvent", "Customer id.", "What happened to customers"},
	{schemas.TopicInventory, "inventory_event", "inventoryEvent", "Location id, /, item id.", "Stock levels"},
	{topology.TopicReconciliation, "outcome", "outcome", "Order id.", "What became of an event in an integration"},
	{topology.TopicDisagreements, "disagreement", "disagreement", "Topic, id, field, object and system.", "Where two systems differ"},
}

// document is an AsyncAPI document, in the order that people read it.
type document struct {
	AsyncAPI           string         `json:"asyncapi" yaml:"asyncapi"`
	Info               map[string]any `json:"info" yaml:"info"`
	DefaultContentType string         `json:"defaultContentType" yaml:"defaultContentType"`
	Channels           map[string]any `json:"channels" yaml:"channels"`
	Operations         map[string]any `json:"operations" yaml:"operations"`
	Components         map[string]any `json:"components" yaml:"components"`
}

const (
	contentType    = "application/avro"
	schemaFormat   = "application/vnd.apache.avro;version=1.9.0"
	bindingVersion = "0.5.0" // of https://github.com/asyncapi/bindings/tree/master/kafka
)

// AsyncAPI is the AsyncAPI 3.0.0 document of a topology's topics for subscribers, as YAML, or as JSON. version is Seam's.
func AsyncAPI(t *topology.Topology, version string, asJSON bool) ([]byte, error) {
	d := document{AsyncAPI: "3.0.0", DefaultContentType: contentType, Channels: map[string]any{}, Operations: map[string]any{}, Info: map[string]any{
		"title": "Seam", "version": version, "license": map[string]any{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		"description": "The topics of Seam, for whoever reads them (environment " + t.Environment + "). Values are Avro in Confluent's wire format; headers are CloudEvents in " +
			"Kafka's binary mode. Fields marked pii are personal: they are sealed in the event topics, and empty for readers without the keys. A reader must bear fields, " +
			"event types and words that it does not know."}}
	messages := map[string]any{}
	for _, c := range channels {
		topic := slices.IndexFunc(t.Topics, func(x topology.Topic) bool { return x.Name == t.TopicName(c.topic) })
		if topic < 0 {
			return nil, fmt.Errorf("the topology has no topic %s", c.topic)
		}
		message, err := c.asMessage()
		if err != nil {
			return nil, err
		}
		messages[c.message] = message
		bindings, err := kafkaTopic(&t.Topics[topic])
		if err != nil {
			return nil, err
		}
		d.Channels[c.topic] = map[string]any{"address": t.TopicName(c.topic), "title": c.title, "bindings": map[string]any{"kafka": bindings},
			"messages": map[string]any{c.message: reference("components", "messages", c.message)}}
		d.Operations["send_"+c.topic] = map[string]any{"action": "send", "title": c.title, "channel": reference("channels", c.topic),
			"summary":  "Seam writes it; who wants to know reads it with a consumer group of its own.",
			"messages": []any{reference("channels", c.topic, "messages", c.message)}}
	}
	d.Components = map[string]any{"messages": messages}
	var b bytes.Buffer
	if asJSON {
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err := enc.Encode(d)
		return b.Bytes(), err
	}
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	err := enc.Encode(d)
	return b.Bytes(), err
}

func reference(path ...string) map[string]any {
	return map[string]any{"$ref": "#/" + strings.Join(path, "/")}
}

func (c channel) asMessage() (map[string]any, error) {
	var avro map[string]any
	if err := json.Unmarshal([]byte(schemas.SchemaText(c.schema)), &avro); err != nil {
		return nil, fmt.Errorf("schema %s: %w", c.schema, err)
	}
	out := map[string]any{"name": c.message, "title": c.title, "contentType": contentType, "description": avro["doc"], "headers": c.headers(),
		"payload": map[string]any{"schemaFormat": schemaFormat, "schema": avro},
		"bindings": map[string]any{"kafka": map[string]any{"key": map[string]any{"type": "string", "description": c.key}, "schemaIdLocation": "payload",
			"schemaIdPayloadEncoding": "confluent", "schemaLookupStrategy": "TopicNameStrategy", "bindingVersion": bindingVersion}}}
	return out, nil
}

// headers describes the headers of a topic's records, as Seam writes them.
func (c channel) headers() map[string]any {
	text := func(doc string) map[string]any { return map[string]any{"type": "string", "description": doc} }
	properties := map[string]any{
		"ce_specversion": map[string]any{"type": "string", "const": "1.0"}, "ce_id": text("Identity: the same however often it is written."),
		"ce_type": text("What happened."), "ce_source": text("Who says so."), "ce_subject": text("The record key."), "content-type": text("Media type of the value."),
	}
	required := []string{"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_subject", "content-type"}
	switch c.topic {
	case topology.TopicDisagreements:
	case topology.TopicReconciliation:
		properties["traceparent"] = text("W3C trace context of the event's handling.")
	default:
		types := []string{}
		for _, et := range schemas.EventTypes {
			if et.Topic() == c.topic {
				types = append(types, string(et))
			}
		}
		properties["ce_type"] = map[string]any{"type": "string", "description": "Event type; later versions may have more.", "examples": types}
		properties["ce_time"] = map[string]any{"type": "string", "format": "date-time", "description": "When it happened, by the source's clock."}
		properties["ce_system"] = text("System that speaks; ownership is decided on it.")
		properties["ce_businessid"] = text("Equal for one business fact that came under two delivery ids.")
		properties["ce_sourceversion"] = text("What the source orders its states by.")
		properties["traceparent"], properties["tracestate"] = text("W3C trace context."), text("W3C trace context.")
		required = append(required, "ce_time", "ce_system")
	}
	return map[string]any{"type": "object", "properties": properties, "required": required}
}

// kafkaTopic is the binding of a topic: what the cluster was asked for.
func kafkaTopic(t *topology.Topic) (map[string]any, error) {
	out := map[string]any{"topic": t.Name, "partitions": t.Partitions, "bindingVersion": bindingVersion}
	if t.Replicas > 0 { // else the broker's default
		out["replicas"] = t.Replicas
	}
	configs := map[string]any{}
	for k, v := range t.Configs {
		switch n, err := strconv.ParseInt(v, 10, 64); {
		case k == "cleanup.policy":
			configs[k] = strings.Split(v, ",")
		case err == nil:
			configs[k] = n
		case strings.HasSuffix(k, ".ms") || strings.HasSuffix(k, ".bytes"):
			return nil, fmt.Errorf("topic %s: %s is %q, which is no number", t.Name, k, v)
		default:
			configs[k] = v
		}
	}
	out["topicConfiguration"] = configs
	return out, nil
}
