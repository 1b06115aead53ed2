package schemas

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// define starts a named type: reads name, namespace and aliases, and makes it known to what follows.
func (p *schemaParser) define(m map[string]any, kind avroKind, ns, at string) (*node, error) {
	name, _ := m["name"].(string)
	if own, ok := m["namespace"].(string); ok && !strings.Contains(name, ".") {
		ns = own
	}
	n := &node{kind: kind, name: fullName(name, ns)}
	for _, part := range strings.Split(n.name, ".") {
		if !goodName.MatchString(part) {
			return nil, fmt.Errorf("%s: %q is not a name", at, n.name)
		}
	}
	if p.names[n.name] != nil || primitives[n.name] != "" {
		return nil, fmt.Errorf("%s: %s is defined twice", at, n.name)
	}
	n.aliases = texts(m["aliases"])
	for i, a := range n.aliases {
		n.aliases[i] = fullName(a, namespaceOf(n.name))
	}
	// goavro gets names without dots, so that its own reading of namespaces never matters.
	n.wire = strings.ReplaceAll(n.name, ".", "_")
	for p.wires[n.wire] || primitives[n.wire] != "" || slices.Contains([]string{"array", "map", "record", "enum", "fixed", "union"}, n.wire) {
		n.wire += "_"
	}
	p.wires[n.wire] = true
	p.names[n.name] = n
	return n, nil
}

func (p *schemaParser) parseRecord(m map[string]any, ns, at string) (*node, error) {
	n, err := p.define(m, avroRecord, ns, at)
	if err != nil {
		return nil, err
	}
	list, ok := m["fields"].([]any)
	if !ok {
		return nil, fmt.Errorf("%s: record without fields", n.name)
	}
	seen := map[string]bool{}
	for _, item := range list {
		fm, _ := item.(map[string]any)
		f := avroField{aliases: texts(fm["aliases"])}
		f.name, _ = fm["name"].(string)
		if !goodName.MatchString(f.name) || seen[f.name] {
			return nil, fmt.Errorf("%s: field name %q is twice or is no name", n.name, f.name)
		}
		seen[f.name] = true
		f.orElse, f.hasElse = fm["default"]
		f.pii = fm["pii"] == true
		place := shortName(n.name) + "." + f.name
		if fm["type"] == nil {
			return nil, fmt.Errorf("%s: field without type", place)
		}
		if f.typ, err = p.parse(fm["type"], namespaceOf(n.name), place); err != nil {
			return nil, err
		}
		n.fields = append(n.fields, f)
	}
	return n, nil
}

func (p *schemaParser) parseEnum(m map[string]any, ns, at string) (*node, error) {
	n, err := p.define(m, avroEnum, ns, at)
	if err != nil {
		return nil, err
	}
	n.symbols = texts(m["symbols"])
	seen := map[string]bool{}
	for _, s := range n.symbols {
		if !goodName.MatchString(s) || seen[s] {
			return nil, fmt.Errorf("%s: symbol %q is twice or is no name", n.name, s)
		}
		seen[s] = true
	}
	if len(n.symbols) == 0 {
		return nil, fmt.Errorf("%s: enum without symbols", n.name)
	}
	if d, ok := m["default"]; ok {
		n.enumElse, _ = d.(string)
		if !seen[n.enumElse] {
			return nil, fmt.Errorf("%s: default %v is not a symbol", n.name, d)
		}
	}
	return n, nil
}

func (p *schemaParser) parseFixed(m map[string]any, ns, at string) (*node, error) {
	n, err := p.define(m, avroFixed, ns, at)
	if err != nil {
		return nil, err
	}
	size, ok := wholeNumber(m["size"])
	if !ok || size < 0 || size > 1<<20 {
		return nil, fmt.Errorf("%s: fixed of size %v", n.name, m["size"])
	}
	n.size = size
	return n, nil
}

// logicals says which base types a logical type may sit on; elsewhere Avro ignores the word.
var logicals = map[string][]avroKind{
	"decimal": {avroBytes, avroFixed}, "uuid": {avroString, avroFixed}, "duration": {avroFixed}, "date": {avroInt},
	"time-millis": {avroInt}, "time-micros": {avroLong},
	"timestamp-millis": {avroLong}, "timestamp-micros": {avroLong}, "timestamp-nanos": {avroLong},
	"local-timestamp-millis": {avroLong}, "local-timestamp-micros": {avroLong}, "local-timestamp-nanos": {avroLong},
}

// readLogical sets the logical type where it is valid; an invalid one is ignored, as Avro demands.
func (n *node) readLogical(m map[string]any) {
	word, _ := m["logicalType"].(string)
	if !slices.Contains(logicals[word], n.kind) {
		return
	}
	if word == "decimal" {
		precision, ok := wholeNumber(m["precision"])
		scale, scaleOK := 0, true
		if m["scale"] != nil {
			scale, scaleOK = wholeNumber(m["scale"])
		}
		if !ok || !scaleOK || precision < 1 || scale < 0 || scale > precision || n.kind == avroFixed && precision > fixedDigits(n.size) {
			return
		}
		n.precision, n.scale = precision, scale
	}
	n.logical = word
}

// fixedDigits is the number of decimal digits that size bytes of two's complement always hold.
func fixedDigits(size int) int {
	if size == 0 {
		return 0
	}
	largest := new(big.Int).Lsh(big.NewInt(1), uint(8*size-1))
	return len(largest.Sub(largest, big.NewInt(1)).String()) - 1
}

// texts is a JSON list of strings; other items become empty and fail the name check.
func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, item := range list {
		s, _ := item.(string)
		out = append(out, s)
	}
	return out
}

func wholeNumber(v any) (int, bool) {
	num, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := num.Int64()
	return int(i), err == nil && i <= math.MaxInt32 && i >= math.MinInt32
}
