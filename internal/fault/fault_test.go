package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"livemon/internal/fault"
)

func TestEveryCodeHasASentenceAndAnExitStatus(t *testing.T) {
	seen := map[int]bool{}
	for _, c := range fault.All() {
		if !c.Known() {
			t.Errorf("%d is listed but has no sentence", c)
		}
		if s := c.ExitStatus(); s <= 2 || s > 125 || seen[s] {
			t.Errorf("%d: exit status %d collides with a shell's or another code's", c, s)
		}
		seen[c.ExitStatus()] = true
		if len(c.Digits()) != 4 {
			t.Errorf("%d is spoken as %q", c, c.Digits())
		}
	}
	if fault.Code(9999).Known() {
		t.Error("9999 is no code of ours")
	}
}

func TestCodeSurvivesWrapping(t *testing.T) {
	cause := errors.New("connection refused")
	err := fmt.Errorf("request 7: %w", fault.Wrap(fault.SwitchTimeout, "originate", cause))
	if got := fault.Of(err); got != fault.SwitchTimeout {
		t.Errorf("Of = %d", got)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if !errors.Is(err, &fault.Error{Code: fault.SwitchTimeout}) || errors.Is(err, &fault.Error{Code: fault.UserGone}) {
		t.Error("errors.Is does not tell codes apart")
	}
	if fault.Of(cause) != 0 {
		t.Error("an error without a code has one")
	}
}
