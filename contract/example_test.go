package contract_test

import (
	"fmt"
	"strings"

	"github.com/binaryandbeyond/seam/contract"
	"github.com/binaryandbeyond/seam/schemas"
	"github.com/binaryandbeyond/seam/topology"
)

// Example holds what was seen to what a file declares.
func Example() {
	declared := topology.Shape{"id": {Types: []string{"number"}}, "note": {Types: []string{"string"}, Optional: true}}
	seen := []schemas.ContractDrift{{Kind: contract.Missing, Path: "note"}, {Kind: contract.Type, Path: "id", Seen: "string"}, {Kind: contract.New, Path: "tags", Seen: "array"}}
	nothing := func(string) bool { return false }
	for _, d := range contract.Pending(seen, contract.Rules(declared), nothing) {
		fmt.Println(strings.TrimSpace(fmt.Sprint(d.Kind, " ", d.Path, " ", d.Seen)))
	}
	accepted := contract.Accept(declared, []schemas.ContractPath{{Path: "id", Types: "number|string", Present: 40}, {Path: "tags", Types: "array", Present: 1, Absent: 39}})
	fmt.Println(len(contract.Pending(seen, contract.Rules(accepted), nothing)), accepted["id"].Text(), accepted["tags"].Text())
	// Output:
	// type id string
	// new tags array
	// 0 number|string array?
}
