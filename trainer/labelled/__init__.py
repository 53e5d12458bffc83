"""What the trainings on class folders share: pictures with one class each."""
