package schemas

import (
	"embed"
	"fmt"
	"reflect"
	"strings"

	"github.com/linkedin/goavro/v2"
)

//go:embed *.avsc
var avsc embed.FS

// format is one of our schemas with its codec and its Go type.
type format struct {
	name    string
	text    string
	root    *node
	codec   *goavro.Codec
	binding binding
	wired   wired // of the formats that every event needs; nil funcs elsewhere, where goavro does the work
	kept    bool  // values are kept whole: see wireReader
}

// formats are our schemas by file name. A broken embedded file ends the program at start.
var formats = map[string]*format{
	"order_event":     newFormat("order_event", reflect.TypeFor[Event](), binder{wired: true}),
	"customer_event":  newFormat("customer_event", reflect.TypeFor[Event](), binder{wired: true}),
	"inventory_event": newFormat("inventory_event", reflect.TypeFor[Event](), binder{wired: true}),
	"outcome":         newFormat("outcome", reflect.TypeFor[Outcome](), binder{repair: true, wired: true}),
	"ledger_entry":    newFormat("ledger_entry", reflect.TypeFor[LedgerEntry](), binder{repair: true, wired: true}),
	"parked_record":   newFormat("parked_record", reflect.TypeFor[ParkedRecord](), binder{repair: true}),
	"quarantined":     newFormat("quarantined", reflect.TypeFor[Quarantined](), binder{repair: true}),
	"worker_status":   newFormat("worker_status", reflect.TypeFor[WorkerStatus](), binder{repair: true}),
	"command":         newFormat("command", reflect.TypeFor[Command](), binder{}),
	"disagreement":    newFormat("disagreement", reflect.TypeFor[Disagreement](), binder{repair: true}),
	"contract":        newFormat("contract", reflect.TypeFor[Contract](), binder{repair: true}),
	"sealing_key":     newFormat("sealing_key", reflect.TypeFor[SealingKey](), binder{}),
}

func newFormat(name string, t reflect.Type, b binder) *format {
	text, err := avsc.ReadFile(name + ".avsc")
	if err != nil {
		panic(err)
	}
	f := &format{name: name, text: strings.TrimSpace(string(text)), kept: name == "ledger_entry"}
	if f.root, err = parseSchema(f.text); err == nil {
		if f.codec, err = newCodec(f.root); err == nil {
			f.binding, err = b.record(f.root, t)
		}
	}
	if err == nil && b.wired {
		f.wired, err = b.wire(f.root, t)
	}
	if err != nil {
		panic(fmt.Sprintf("embedded %s.avsc: %v", name, err))
	}
	return f
}

// SchemaNames lists our schemas by the names Register takes.
func SchemaNames() []string {
	return []string{"order_event", "customer_event", "inventory_event", "outcome", "ledger_entry", "parked_record", "quarantined", "worker_status", "command", "disagreement", "sealing_key", "contract"}
}

// SchemaText is the Avro schema of a name as registered; empty for an unknown name.
func SchemaText(name string) string {
	if f := formats[name]; f != nil {
		return f.text
	}
	return ""
}

// SchemaFor names the schema of a topic's values, before the environment's prefix: "orders" is order_event,
// "ledger.erp" ledger_entry. Empty for a topic that is not ours.
func SchemaFor(topic string) string {
	switch {
	case strings.HasPrefix(topic, "ledger."):
		return "ledger_entry"
	case strings.HasPrefix(topic, "parked."):
		return "parked_record"
	}
	return topicSchemas[topic]
}

var topicSchemas = map[string]string{
	TopicOrders: "order_event", TopicCustomers: "customer_event", TopicInventory: "inventory_event",
	"reconciliation": "outcome", "quarantine": "quarantined", "status": "worker_status", "commands": "command", "disagreements": "disagreement", "keys": "sealing_key", "contracts": "contract",
}
