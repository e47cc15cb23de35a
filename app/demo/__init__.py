"""What does the service do, shown from outside through its public API alone?"""
