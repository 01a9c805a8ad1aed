# What CI runs, and what to run before a commit: make check.
GO ?= go
STATICCHECK ?= $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOLANGCI ?= $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
FUZZTIME ?= 20s

.PHONY: check fmt vet staticcheck lint test fuzz fuzz-ci bench bench-all demo build observe

check: fmt vet staticcheck test demo

fmt:
	@out=$$(gofmt -l .); if [ -n "$$out" ]; then echo "gofmt would change:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...

staticcheck:
	$(STATICCHECK) ./...

# Wider than check, and slower: for reviews.
lint:
	$(GOLANGCI) run ./...

# The import table of ARCHITECTURE.md is one of these tests.
test:
	$(GO) test -race -shuffle=on ./...

demo:
	$(GO) run ./cmd/peerproxy demo

build:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="-s -w" -o bin/peerproxy ./cmd/peerproxy

# What reads what strangers send, FUZZTIME each: what CI fuzzes.
FUZZED = ./httpcache:FuzzCacheControl ./httpcache:FuzzDate ./httpcache:FuzzVaryKey ./httpcache:FuzzRange ./internal/http1:FuzzRequests ./intercept:FuzzFirstBytes ./ca:FuzzName ./trust:FuzzWitness ./trust:FuzzVerifyOrigin ./trust:FuzzParseKeyring ./trust:FuzzParseInvitation ./document:FuzzInserter ./document:FuzzAllowStyle

# The fuzzer now and then takes the end of its time for a failure; one that
# it has found says more than that.
fuzz-ci:
	@for target in $(FUZZED); do \
	  echo "$$target"; \
	  if out=$$($(GO) test -run '^$$' -fuzz "^$${target#*:}\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $${target%:*} 2>&1); then \
	    echo "$$out" | tail -n 1; \
	    case "$$out" in *"no fuzz tests"*) exit 1;; esac; \
	    continue; \
	  fi; \
	  echo "$$out"; \
	  case "$$out" in *"Failing input"*|*"seed corpus"*|*panic*|*"build failed"*) exit 1;; *"context deadline exceeded"*) ;; *) exit 1;; esac; \
	done

# Every fuzz target of the module, FUZZTIME each.
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; done

# The figures that docs/performance.md names. Ratios are within one run.
bench:
	$(GO) test -run '^$$' -bench 'Hit|Miss' ./node
	$(GO) test -run '^$$' -bench 'Fetch1GiB' -benchtime 1x ./peer
	$(GO) test -run '^$$' -bench 'Commit|WriteLargeBody' -benchtime 1x ./cache

# The figures that docs/privacy.md names: what somebody who watches the DHT makes of it, and
# whether peers can time what is private.
observe:
	$(GO) test -count=1 -run 'TestObserver' -v ./node ./internal/observer
	$(GO) test -run '^$$' -bench PrivateOrAbsent ./peer

# All benchmarks of all packages.
bench-all:
	$(GO) test -run '^$$' -bench . ./...
