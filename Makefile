# Everything for people; `manage.py` is the door for machines. See DEVELOP.md.

PY = .venv/bin/python
PYTEST = $(PY) -m pytest
OURS = manage.py hostmail mailcore tests $(wildcard bench)

.PHONY: help run venv venv-dev need test quick check format rfcs bench fuzz soak cover clean

help:
	@echo "make run      the whole service with a demo tenant; prints where it listens and the logins"
	@echo "make test     the whole suite on SQLite and PostgreSQL, installing what it needs"
	@echo "make quick    static checks and the quick tests, under two minutes"
	@echo "make check    static checks: format, lint, types, templates, migrations, architecture"
	@echo "make bench    benchmark;  make fuzz SECONDS=60  fuzzers;  make soak  long steady load"
	@echo "make cover    which lines each module's own tests reach;  make format  lay the code out"
	@echo "make rfcs     where each RFC is honoured, written into mailcore/rfcs.md"

# The environment is filled once, and again only when a requirements file changes.
venv:
	@sh scripts/venv run

venv-dev:
	@sh scripts/venv dev

# Programs of the suite; `need` never fails: what is missing is said, and its tests say so too.
need:
	@sh scripts/need

run: venv
	@exec $(PY) manage.py up --demo

test: need venv-dev
	$(PYTEST) --db both

quick: check
	$(PYTEST) -n 2 -q -m "not slow"

check: venv-dev
	$(PY) -m ruff format --check $(OURS)
	$(PY) -m ruff check $(OURS)
	$(PY) -m mypy
	$(PY) -m djlint templates --lint --check
	HOSTMAIL_DATA_DIR=build/check $(PY) manage.py makemigrations --check --dry-run
	$(PY) scripts/rfcs --check
	$(PYTEST) -q tests/test_architecture.py

# Which RFC, how far, and where: the last column of mailcore/rfcs.md, from the code.
rfcs: venv-dev
	$(PY) scripts/rfcs

format: venv-dev
	$(PY) -m ruff format $(OURS)
	$(PY) -m ruff check --fix $(OURS)
	$(PY) -m djlint templates --reformat --quiet

bench: need venv-dev
	$(PY) -m bench.compare

fuzz: venv-dev
	$(PY) -m tests.fuzz --seconds $(or $(SECONDS),60)

soak: need venv-dev
	$(PY) -m tests.soak --seconds $(or $(SECONDS),3600)
	HOSTMAIL_TEST_MIRROR_SECONDS=$(or $(SECONDS),3600) $(PYTEST) -q tests/test_mirror.py
	HOSTMAIL_TEST_KILLS=$(or $(KILLS),60) $(PYTEST) -q tests/walks/test_chaos.py

cover: need venv-dev
	sh scripts/cover

clean:
	rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis
