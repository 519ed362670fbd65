from dragoman.accounts.ledger import OTHERS, ROWS_KEPT, Ledger
from dragoman.canonical.usage import Usage


def test_sums_are_kept_by_caller_and_target():
    ledger = Ledger()
    ledger.settle("a", "p/m", Usage(input=10, output=2, cache_read=3), failed=False)
    ledger.settle("a", "p/m", Usage(input=1, output=1, estimated=True), failed=True)
    ledger.settle("b", "", None, failed=True)
    totals = ledger.totals()
    assert (totals["a", "p/m"].input, totals["a", "p/m"].output) == (11, 3)
    assert (totals["a", "p/m"].requests, totals["a", "p/m"].failures) == (2, 1)
    assert totals["a", "p/m"].estimated == 1
    assert totals["b", ""].requests == 1


def test_names_that_callers_choose_do_not_fill_the_memory():
    ledger = Ledger()
    for number in range(ROWS_KEPT + 5):
        ledger.settle(f"own-{number}", "p/m", None, failed=False)
    totals = ledger.totals()
    assert len(totals) == ROWS_KEPT + 1
    assert totals[OTHERS].requests == 5
    ledger.settle("own-0", "p/m", None, failed=False)
    assert ledger.totals()["own-0", "p/m"].requests == 2
