"""Tests of the codec towards Code Assist."""
