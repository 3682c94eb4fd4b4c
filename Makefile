# `make run` and `make test` do all set-up; see README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: docs run test lint set-up set-up-dev system-packages screenshots

run: set-up ## open the app on a sample study
	$(BIN)/python -m streamlit run app.py

test: set-up-dev system-packages lint ## everything that CI checks
	$(BIN)/python -m pytest

lint: set-up-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

screenshots: set-up-dev system-packages ## make docs/screenshots anew, in a real browser
	LUNGS_SCREENSHOTS=1 $(BIN)/python -m pytest tests/browser

docs: set-up-dev ## write the tables of the documents anew from the cards
	$(BIN)/python -m lung_models.documents README.md docs/models.md docs/models-in-depth.md

set-up: $(VENV)/.run
set-up-dev: $(VENV)/.dev

$(VENV)/.run: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# Chromium drives the app in tests, dciodvfy checks DICOM objects, Orthanc is the PACS, PostgreSQL the other database.
# Where apt-get is not to be had, the tests that need one of them say what they skip for.
PACKAGES := chromium fonts-dejavu-core dicom3tools orthanc orthanc-dicomweb postgresql
system-packages:
	@( command -v chromium && command -v dciodvfy && ls /usr/sbin/Orthanc /usr/lib/postgresql/*/bin/initdb \
		/usr/share/orthanc/plugins/libOrthancDicomWeb.so ) >/dev/null 2>&1 || ( \
		command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES) >/dev/null \
	) || echo "One of $(PACKAGES) is missing and could not be installed: tests will be skipped." >&2
