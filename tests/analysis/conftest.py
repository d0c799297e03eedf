import pytest
from made_up_study import MadeUpStudy


@pytest.fixture(scope="session")
def made_up() -> type[MadeUpStudy]:
    return MadeUpStudy
