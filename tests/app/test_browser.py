"""The live page in headless Chromium: it loads, shows the pipeline's figures, and refreshes without being redrawn.

Needs Debian's chromium and chromium-driver; nothing is downloaded. Each run leaves a screenshot in its temp directory.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.app.fixture import Pipeline

CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")
MAIN = Path(__file__).parents[2] / "app" / "main.py"
TIMEOUT_S = 60
SIZE = {"width": 1400, "height": 1000, "deviceScaleFactor": 1, "mobile": False}

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (CHROMIUM.exists() and CHROMEDRIVER.exists()),
        reason=f"{CHROMIUM} or {CHROMEDRIVER} is not installed (Debian: apt install chromium chromium-driver)",
    ),
]


@pytest.fixture
def page_address(pipeline: Pipeline, page_url: str, tmp_path: Path) -> Iterator[str]:
    """The address of a dashboard over `pipeline`, started from a foreign working directory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "dashboard.log").open("wb")
    command = [sys.executable, "-m", "streamlit", "run", str(MAIN), "--server.port", str(port)]
    guard = subprocess.Popen(
        [sys.executable, "-m", "tailrace.guard", "--", *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        cwd=tmp_path,
        env={**os.environ, "TAILRACE_SQL_URL": page_url},
    )
    with guard, log:
        yield f"http://127.0.0.1:{port}"
        guard.terminate()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """A fresh Chromium of 1400 x 1000 pixels."""
    options = Options()
    options.binary_location = str(CHROMIUM)
    profile = tmp_path / "profile"
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(str(CHROMEDRIVER)))
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SIZE)
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


def open_page(browser: webdriver.Chrome, address: str) -> None:
    """Load the page as soon as its server listens."""

    def loaded(driver: webdriver.Chrome) -> bool:
        driver.get(address)
        return True

    # Chromium raises WebDriverException (connection refused) until then.
    WebDriverWait(browser, TIMEOUT_S, ignored_exceptions=[Exception]).until(loaded)


def wait_for_text(browser: webdriver.Chrome, text: str) -> None:
    def shown(driver: webdriver.Chrome) -> bool:
        return text in driver.find_element(By.TAG_NAME, "body").text.replace("\n", " ")

    WebDriverWait(browser, TIMEOUT_S).until(shown, f"the page never showed {text!r}")


def wait_for(browser: webdriver.Chrome, css: str) -> WebElement:
    return WebDriverWait(browser, TIMEOUT_S).until(lambda driver: driver.find_element(By.CSS_SELECTOR, css))


def drawn(chart: WebElement) -> str:
    return chart.get_attribute("innerHTML") or ""


def accounting(pipeline: Pipeline) -> str:
    counts = pipeline.counts
    return (
        f"{counts['messages']:,} messages = {counts['readings']:,} readings"
        f" + {counts['rejects']:,} rejects + {counts['duplicates']:,} duplicates"
    )


def test_the_page_refreshes_in_place(
    pipeline: Pipeline, page_address: str, browser: webdriver.Chrome, tmp_path: Path
) -> None:
    open_page(browser, page_address)
    wait_for_text(browser, accounting(pipeline))
    wait_for_text(browser, "every message accounted for")
    wait_for_text(browser, "dev-000005 · cold_room · valley · 70 % at")
    assert browser.title == "Tailrace"

    chart = wait_for(browser, ".st-key-card_signal svg.marks")
    assert chart.size["width"] > 500
    assert wait_for(browser, ".st-key-card_anomalies canvas").is_displayed()
    browser.execute_script("arguments[0].setAttribute('data-same', 'yes')", chart)

    before = drawn(chart)
    pipeline.advance()
    wait_for_text(browser, accounting(pipeline))
    WebDriverWait(browser, TIMEOUT_S).until(lambda _: drawn(chart) != before)

    # The same drawing as before, not a new one in its place: that would be the flicker.
    assert wait_for(browser, "[data-same='yes']").is_displayed()
    assert not browser.find_elements(By.CSS_SELECTOR, "[data-testid='stException'], .stAlert")
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert browser.save_screenshot(str(tmp_path / "live.png"))
