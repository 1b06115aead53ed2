package main_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology/topologytest"
)

// toolTimeout bounds one run of another's tool: a Java one needs 2 s on a quiet machine.
const toolTimeout = 90 * time.Second

// TestInterop reads what Seam writes with the tools that other teams have: nothing here knows Seam's code.
func TestInterop(t *testing.T) {
	t.Parallel()
	k := topologytest.Cluster(t)
	topic := k.Topic(t, schemas.TopicOrders, 3, nil)
	want := produceOrders(t, k, topic)

	t.Run("kcat", func(t *testing.T) {
		t.Parallel()
		if d := cmp.Diff(want, kcatRead(t, k.Brokers, topic)); d != "" {
			t.Errorf("records (-produced +read):\n%s", d)
		}
	})
	t.Run("java console consumer", func(t *testing.T) {
		t.Parallel()
		if d := cmp.Diff(want, javaRead(t, k.Brokers, topic, len(want))); d != "" {
			t.Errorf("records (-produced +read):\n%s", d)
		}
	})
	t.Run("confluent avro client", func(t *testing.T) {
		t.Parallel()
		got := confluentDecode(t, k.Brokers, k.Registry, topic, len(want))
		if len(got) != len(want) {
			t.Fatalf("%d values, want %d", len(got), len(want))
		}
		order := got["1001"]
		for path, want := range map[string]string{
			"id": want["1001"].Headers["ce_id"], "type": "order.created", "time": "2026-11-23 07:00:00.000001+00:00",
			"order.total.amount": "9007199254740993.1200", "order.total.currency": "EUR",
			"order.lines.0.quantity": "3", "order.note": "Grüße", "extensions.x\x00y": "1",
		} {
			if got := at(order, path); got != want {
				t.Errorf("%q is %q, want %q", path, got, want)
			}
		}
	})
	t.Run("kafka-consumer-groups", func(t *testing.T) {
		t.Parallel()
		testGroups(t, k, topic, len(want))
	})
}

// testGroups makes a group as a worker does, and looks at it and resets it as an operator does.
func testGroups(t *testing.T, k *topologytest.Kafka, topic string, records int) {
	group := k.Prefix + "seam.warehouse"
	consume := func() *kgo.Client {
		client := k.Client(t, kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
			kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.ConsumeResetOffset(kgo.NoResetOffset()))
		for n := 0; n < records; {
			fetched := client.PollFetches(t.Context())
			if err := fetched.Err(); err != nil {
				t.Fatal(err)
			}
			n += fetched.NumRecords()
		}
		if err := client.CommitUncommittedOffsets(t.Context()); err != nil {
			t.Fatal(err)
		}
		return client
	}
	active := consume()
	if listed, _ := groups(t, k.Brokers, "--list"); !strings.Contains("\n"+listed, "\n"+group+"\n") {
		t.Errorf("%s is not listed:\n%s", group, listed)
	}
	reset := []string{"--group", group, "--topic", topic, "--reset-offsets", "--to-earliest", "--execute"}
	if out, _ := groups(t, k.Brokers, reset...); !strings.Contains(out, "inactive") {
		t.Errorf("a reset of an active group is not refused:\n%s", out)
	}
	active.Close()
	topologytest.Eventually(t, "the group is empty", func() error {
		_, err := groups(t, k.Brokers, "--group", group, "--describe", "--state")
		return err
	})
	if out, err := groups(t, k.Brokers, reset...); err != nil || !strings.Contains(out, "NEW-OFFSET") {
		t.Errorf("a reset of a stopped group: %v\n%s", err, out)
	}
	consume() // would wait for ever if nothing were read again
}

// record is what any client sees of one; Value is hexadecimal.
type record struct {
	Headers map[string]string
	Value   string
}

// produceOrders writes a few events as the edge does, and gives them by key.
func produceOrders(t *testing.T, k *topologytest.Kafka, topic string) map[string]record {
	t.Helper()
	serde := schemas.NewSerde(k.RegistryClient(t))
	client := k.Client(t, kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	at := time.Date(2026, 11, 23, 7, 0, 0, 1000, time.UTC)
	out := map[string]record{}
	for _, id := range []string{"1001", "1002", "1003"} {
		ev := &schemas.Event{
			ID: schemas.NewEventID("/shopify/test", id, ""), Type: schemas.OrderCreated, Source: "/shopify/test", System: "shop",
			Subject: id, Time: at, IngestedAt: at.Add(time.Second), Extensions: map[string]string{"x\x00y": "1"},
			Order: &schemas.Order{
				ID: id, Note: "Grüße",
				// One more than a float can tell apart.
				Total: &schemas.Money{Amount: decimal.RequireFromString("9007199254740993.12"), Currency: "EUR"},
				Lines: []schemas.Line{{ID: "1", SKU: "A-1", Quantity: 3}},
			},
		}
		value, err := serde.EncodeEvent(t.Context(), topic+"-value", ev)
		if err != nil {
			t.Fatal(err)
		}
		r := &kgo.Record{Topic: topic, Key: []byte(id), Value: value, Headers: schemas.EventHeaders(ev, "")}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		out[id] = record{Headers: map[string]string{}, Value: hex.EncodeToString(value)}
		for _, h := range r.Headers {
			out[id].Headers[h.Key] = string(h.Value)
		}
	}
	return out
}

// kcatRead reads a topic to its end, by key.
func kcatRead(t *testing.T, brokers []string, topic string) map[string]record {
	t.Helper()
	// Key, headers, the value's size and the value, which is binary.
	out, err := tool(t, lookPath(t, "kcat"), "-b", strings.Join(brokers, ","), "-t", topic, "-C", "-e", "-q", "-o", "beginning", "-f", `%k\x1f%h\x1f%S\x1f%s`)
	if err != nil {
		t.Fatalf("kcat: %v\n%s", err, out)
	}
	got := map[string]record{}
	for out != "" {
		parts := strings.SplitN(out, "\x1f", 4)
		if len(parts) != 4 {
			t.Fatalf("kcat printed %q", out)
		}
		size, err := strconv.Atoi(parts[2])
		if err != nil || size > len(parts[3]) {
			t.Fatalf("kcat printed %q: %v", out, err)
		}
		got[parts[0]] = record{headerMap(parts[1], ",", "="), hex.EncodeToString([]byte(parts[3][:size]))}
		out = parts[3][size:]
	}
	return got
}

// javaRead reads count records with Kafka's own console consumer, by key.
func javaRead(t *testing.T, brokers []string, topic string, count int) map[string]record {
	t.Helper()
	out, err := java(t, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", strings.Join(brokers, ","),
		"--topic", topic, "--from-beginning", "--max-messages", strconv.Itoa(count), "--timeout-ms", "60000",
		"--isolation-level", "read_committed", "--group", topic+".console",
		"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true",
		"--formatter-property", "key.separator=\x1f", "--formatter-property", "headers.separator=\x1e", "--formatter-property", "line.separator=\x1d")
	if err != nil {
		t.Fatalf("console consumer: %v\n%s", err, out)
	}
	got := map[string]record{}
	for _, line := range strings.Split(strings.TrimSuffix(out, "\x1d"), "\x1d") {
		parts := strings.SplitN(line, "\x1f", 3)
		if len(parts) != 3 {
			t.Fatalf("console consumer printed %q", line)
		}
		got[parts[1]] = record{headerMap(parts[0], "\x1e", ":"), hex.EncodeToString([]byte(parts[2]))}
	}
	return got
}

// headerMap parses name-value pairs of a tool.
func headerMap(s, between, assign string) map[string]string {
	out := map[string]string{}
	for _, pair := range strings.Split(s, between) {
		name, value, _ := strings.Cut(pair, assign)
		out[name] = value
	}
	return out
}

// confluentDecode gives count values of a topic, by key, as Confluent's Python client decodes them through the registry.
func confluentDecode(t *testing.T, brokers []string, registry, topic string, count int) map[string]any {
	t.Helper()
	out, err := tool(t, env(t, "SEAM_PYTHON"), "testdata/interop/decode.py", strings.Join(brokers, ","), registry, topic, strconv.Itoa(count))
	if err != nil {
		t.Fatalf("decode.py: %v\n%s", err, out)
	}
	got := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(out))
	decoder.UseNumber()
	for decoder.More() {
		var line struct {
			Key   string
			Value any
		}
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("decode.py printed: %v\n%s", err, out)
		}
		got[line.Key] = line.Value
	}
	return got
}

// at is the text at a dotted path of a decoded value; lists by position.
func at(v any, path string) string {
	for _, step := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			if i, err := strconv.Atoi(step); err == nil && i < len(x) {
				v = x[i]
			}
		}
	}
	switch x := v.(type) {
	case string:
		return x
	case json.Number:
		return x.String()
	}
	return ""
}

// groups is kafka-consumer-groups with args; what it prints on both ways out.
func groups(t *testing.T, brokers []string, args ...string) (string, error) {
	t.Helper()
	return java(t, "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", append([]string{"--bootstrap-server", strings.Join(brokers, ",")}, args...)...)
}

// java runs a class of Kafka's jars.
func java(t *testing.T, class string, args ...string) (string, error) {
	t.Helper()
	libs := filepath.Join(env(t, "SEAM_KAFKA_LIBS"), "*")
	jvm := []string{"-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", libs, class}
	return tool(t, lookPath(t, "java"), append(jvm, args...)...)
}

// tool runs a program and gives its standard output; its standard error is the test's log.
func tool(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), toolTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if stderr.Len() > 0 {
		t.Logf("%s: %s", filepath.Base(name), &stderr)
	}
	return stdout.String(), err
}

// env is a variable that deploy/local/cluster.sh prints; the test is skipped without it.
func env(t *testing.T, name string) string {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		missing(t, name+" is not set: eval \"$(deploy/local/cluster.sh start)\"")
	}
	return v
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	if err != nil {
		missing(t, name+" is not installed: deploy/local/cluster.sh fetch")
	}
	return p
}

// missing skips a test that needs another's tool, unless SEAM_INTEROP asks for all of them.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SEAM_INTEROP") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
