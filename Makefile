# make lab   sets everything up and opens JupyterLab on the first lab
# make test  sets everything up and runs every test; the containers' work goes before the tests' own
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: lab test bench labs clean setup

lab: $(STAMP)
	$(BIN)/ecslab lab

test: $(STAMP)
	$(BIN)/ecslab doctor
	$(BIN)/ecslab labs --check
	nice -n 19 $(BIN)/ecslab check-content & content=$$!; trap "kill $$content 2> /dev/null" EXIT; \
		nice $(BIN)/python -m pytest tests -n 3 --dist loadfile --no-loadscope-reorder && wait $$content

bench: $(STAMP)
	$(BIN)/python -m benchmarks

labs: $(STAMP)
	$(BIN)/ecslab labs

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ecslab needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV)
